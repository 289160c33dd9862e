import { test } from "uvu"
import * as assert from "uvu/assert"
import { type CofferError, hasCode } from "../../src/errors.js"
import { selectVariables, variableOf } from "../../src/format/variables.js"

function secret(name: string, env?: string) {
  return { name, meta: new Map(env === undefined ? [] : [["env", env]]) }
}

function select(names: string[], prefixes: string[]): Record<string, string> {
  const selected = selectVariables(
    names.map(name => secret(name)),
    prefixes,
  )
  return Object.fromEntries(Array.from(selected, ([variable, { name }]) => [variable, name]))
}

function failure(run: () => unknown): CofferError {
  try {
    run()
  } catch (error) {
    return error as CofferError
  }
  return assert.unreachable() as never
}

test("the rule", () => {
  assert.is(variableOf(secret("prod/db/password"), "prod"), "DB_PASSWORD")
  assert.is(variableOf(secret("prod/db/password"), "."), "PROD_DB_PASSWORD")
  assert.is(variableOf(secret("prod/tls.key-file"), "prod"), "TLS_KEY_FILE")
  assert.is(variableOf(secret("prod/2fa"), "prod"), "_2FA")
  assert.is(variableOf(secret("2fa"), "."), "_2FA")
  assert.is(variableOf(secret("prod/db/password", "dbPass"), "prod"), "dbPass")
})

test("without a prefix: names without /", () => {
  assert.equal(select(["A", "prod/B", "c-d"], []), { A: "A", C_D: "c-d" })
  assert.equal(select([], []), {})
})

test("without a prefix and with nothing there, a path is asked for", () => {
  const error = failure(() => select(["prod/A", "dev/B"], []))
  assert.is(error.code, "NOT_FOUND")
  assert.match(error.hint!, "-p dev")
})

test("a prefix selects what is below it, whole segments only", () => {
  assert.equal(select(["prod/A", "production/B", "prod", "x/prod/C"], ["prod"]), { A: "prod/A" })
  assert.equal(select(["prod/A", "prod/db/B"], ["prod/db/"]), { B: "prod/db/B" })
  assert.equal(select(["A", "prod/B"], ["."]), { A: "A", PROD_B: "prod/B" })
})

test("later prefixes win over earlier ones", () => {
  const names = ["base/A", "base/B", "prod/A"]
  assert.equal(select(names, ["base", "prod"]), { A: "prod/A", B: "base/B" })
  assert.equal(select(names, ["prod", "base"]), { A: "base/A", B: "base/B" })
})

test("a prefix that selects nothing is an error", () => {
  assert.ok(
    hasCode(
      failure(() => select(["prod/A"], ["prd"])),
      "NOT_FOUND",
    ),
  )
  assert.match(failure(() => select(["API_KEY"], ["API_KEY"])).hint!, "coffer get API_KEY")
  assert.equal(select([], ["."]), {})
})

test("two names that give one variable are both named", () => {
  const error = failure(() => select(["prod/db-url", "prod/db/url"], ["prod"]))
  assert.is(error.code, "NAME_INVALID")
  assert.match(error.message, '"prod/db-url" and "prod/db/url" both give DB_URL')
  assert.ok(failure(() => selectVariables([secret("A"), secret("B", "A")], ["."])))
})

test("names that decide what programs do are refused", () => {
  for (const name of ["path", "HOME", "shell", "IFS", "env", "bash-env", "node/options", "LD_PRELOAD"]) {
    assert.is(failure(() => select([name], ["."])).code, "NAME_INVALID", name)
  }
  for (const env of ["Path", "DYLD_X", "GIT_DIR", "GIT_SSH_COMMAND", "COFFER_PIN"]) {
    assert.is(failure(() => selectVariables([secret("A", env)], [])).code, "NAME_INVALID", env)
  }
  assert.equal(select(["my-path", "ldap", "environment"], []), {
    MY_PATH: "my-path",
    LDAP: "ldap",
    ENVIRONMENT: "environment",
  })
})

test.run()

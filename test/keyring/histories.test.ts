import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError } from "../../src/errors.js"
import type { RecordNode } from "../../src/keyring/graph.js"
import { type Keyring, verifyKeyring } from "../../src/keyring/verify.js"
import { currentOf, inputOf, knownOf, makePeople, register } from "./graphs.js"
import { playHistory, randomFrom } from "./histories.js"
import { mutateRecords } from "./mutations.js"

const people = Object.values(
  await makePeople("ana", "bob", "cat", "dan", "eva", "fay", "gus", "hal", "ida", "jon"),
)
register(...people)
/** Short runs: about two seconds each. */
const HISTORIES = 40
const MUTATIONS = 60
const histories = Array.from({ length: HISTORIES }, (_, seed) => playHistory(randomFrom(seed), people))

/** What verification makes of it: the keyring, or the code of the refusal. */
function judge(...input: Parameters<typeof inputOf>): Keyring | string {
  try {
    return verifyKeyring(inputOf(...input))
  } catch (error) {
    if (error instanceof CofferError) return error.code
    throw error
  }
}

test("random histories: under a pin at or after the last removal the honest tip wins", () => {
  let forks = 0
  for (const [seed, { honest, givenUp, evil, safePins, tip }] of histories.entries()) {
    forks += evil.length
    for (const pin of safePins) {
      const verdict = judge([...honest, ...givenUp, ...evil], { pin })
      assert.not.type(verdict, "string", `seed ${seed}, pin ${pin.id}: ${verdict}`)
      assert.equal(currentOf(verdict as Keyring), [tip.id], `seed ${seed}, pin ${pin.id}`)
    }
  }
  assert.ok(forks > HISTORIES, "the histories hold forks")
})

test("random histories: under a root pin, and against local state, a removed signer's fork never wins", () => {
  const outcomes = new Map<string, number>()
  for (const [seed, { honest, givenUp, evil, root, tip }] of histories.entries()) {
    const evilIds = new Set(evil.map(node => node.id))
    const all = [...honest, ...givenUp, ...evil]
    const verdict = judge(all, { pin: root })
    const name = typeof verdict === "string" ? verdict : "accepted"
    outcomes.set(name, 1 + (outcomes.get(name) ?? 0))
    if (typeof verdict === "string") assert.is(verdict, "FORKED", `seed ${seed}`)
    else
      assert.not.ok(
        currentOf(verdict).some(id => evilIds.has(id)),
        `seed ${seed}`,
      )
    const known = knownOf(honest, tip)
    const withState = judge(all, { pin: root, known })
    assert.equal(typeof withState === "string" ? withState : currentOf(withState), [tip.id], `seed ${seed}`)
  }
  assert.ok((outcomes.get("accepted") ?? 0) > 0)
})

test("random mutations of record graphs: none is accepted", () => {
  let refused = 0
  for (let seed = 0; seed < MUTATIONS; seed++) {
    const random = randomFrom(`mutation ${seed}`)
    const { honest, root, tip } = playHistory(random, people)
    const { files, what } = mutateRecords(random, people, honest)
    const known = knownOf(honest, tip)
    const before = new Set(honest.map(node => node.sha256))
    for (const input of [
      inputOf(honest, { pin: root }),
      inputOf(honest, { pin: tip }),
      inputOf(honest, { known }),
    ]) {
      const verdict = judgeFiles({ ...input, files })
      if (typeof verdict === "string") refused++
      else assertSame(verdict, before, tip, `seed ${seed}: ${what}`)
    }
  }
  assert.ok(refused > MUTATIONS, "most are refused as a whole")
})

function judgeFiles(input: Parameters<typeof verifyKeyring>[0]): Keyring | string {
  try {
    return verifyKeyring(input)
  } catch (error) {
    if (error instanceof CofferError) return error.code
    throw error
  }
}

/** A mutated record may lie there as a refused fork; what counts is what counted before. */
function assertSame(keyring: Keyring, before: ReadonlySet<string>, tip: RecordNode, message: string): void {
  const { graph, current } = keyring.groups.get("default")!
  assert.equal(
    current.map(node => node.sha256),
    [tip.sha256],
    message,
  )
  for (const sha256 of graph.ancestors(tip.sha256)) assert.ok(before.has(sha256), message)
}

test.run()

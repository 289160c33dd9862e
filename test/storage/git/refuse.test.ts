/** What a write refuses, and that it then leaves no trace; hooks and signatures on the way to a commit. */
import {
  chmodSync,
  existsSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError } from "../../../src/errors.js"
import { openGit } from "../../../src/storage/git/open.js"
import {
  AT,
  codeOf,
  commit,
  env,
  freshFolder,
  fsck,
  git,
  gitFails,
  KINDS,
  leftovers,
  makeRepository,
  open,
  toFiles,
  userState,
  write,
} from "./repositories.js"

function hook(folder: string, name: string, script: string): void {
  const file = join(folder, ".git/hooks", name)
  write(folder, `.git/hooks/${name}`, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o755)
}

/** Runs a commit that has to fail with `code`, and checks that everything is as before. */
async function refuses(folder: string, kind: (typeof KINDS)[number], code: string): Promise<void> {
  const before = [userState(folder, "none"), git(folder, "rev-parse", "HEAD"), git(folder, "reflog")]
  const opened = await open(folder, kind)
  assert.is(await codeOf(commit(opened, { "secrets/A.yaml": "second\n", "secrets/new/D.yaml": "D\n" })), code)
  assert.equal([userState(folder, "none"), git(folder, "rev-parse", "HEAD"), git(folder, "reflog")], before)
  assert.equal(leftovers(folder), [])
}

const DIRTY: Readonly<Record<string, (folder: string) => void>> = {
  "an edited file": folder => write(folder, "secrets/A.yaml", "edited\n"),
  "a staged file": folder => {
    write(folder, "secrets/A.yaml", "staged\n")
    git(folder, "add", "secrets")
    write(folder, "secrets/A.yaml", "first A\n")
  },
  "a removed file": folder => rmSync(join(folder, "secrets/A.yaml")),
  "a file taken out of the index": folder => git(folder, "rm", "-q", "--cached", "secrets/A.yaml"),
  "an untracked file in the way": folder => write(folder, "secrets/new/D.yaml", "mine\n"),
  "an intent to add": folder => {
    write(folder, "secrets/new/D.yaml", "mine\n")
    git(folder, "add", "-N", "secrets/new/D.yaml")
  },
  "a staged file in place of a folder": folder => {
    write(folder, "secrets/new", "mine\n")
    git(folder, "add", "secrets/new")
    rmSync(join(folder, "secrets/new"))
  },
  "a staged folder in place of a file": folder => {
    write(folder, "secrets/new/D.yaml/x", "mine\n")
    git(folder, "add", "secrets/new")
    rmSync(join(folder, "secrets/new"), { recursive: true })
  },
  "a submodule in place of a folder": folder => {
    git(
      folder,
      "update-index",
      "--add",
      "--cacheinfo",
      `160000,${git(folder, "rev-parse", "HEAD").trim()},secrets/new`,
    )
    git(folder, "commit", "-q", "-m", "submodule")
  },
  "a committed folder in place of a file": folder => {
    write(folder, "secrets/new/D.yaml/x", "mine\n")
    git(folder, "add", "secrets/new")
    git(folder, "commit", "-q", "-m", "folder")
    rmSync(join(folder, "secrets/new"), { recursive: true })
  },
  "a link in place of a file": folder => {
    rmSync(join(folder, "secrets/A.yaml"))
    symlinkSync("B.yaml", join(folder, "secrets/A.yaml"))
  },
  "a link in place of a folder": folder => {
    symlinkSync("prod", join(folder, "secrets/new"))
  },
  "a folder in place of a file": folder => {
    rmSync(join(folder, "secrets/A.yaml"))
    write(folder, "secrets/A.yaml/inner", "x\n")
  },
}

const PROGRESS: Readonly<Record<string, (folder: string) => void>> = {
  merge(folder) {
    diverge(folder)
    gitFails(folder, "merge", "other")
  },
  rebase(folder) {
    diverge(folder)
    gitFails(folder, "rebase", "other")
  },
  "cherry-pick"(folder) {
    diverge(folder)
    gitFails(folder, "cherry-pick", "other")
  },
  revert(folder) {
    diverge(folder)
    gitFails(folder, "revert", "HEAD~1")
  },
  bisect(folder) {
    diverge(folder)
    git(folder, "bisect", "start", "HEAD", "HEAD~1")
  },
}

function diverge(folder: string): void {
  write(folder, "README", "one\n")
  git(folder, "commit", "-q", "-am", "one")
  git(folder, "branch", "other")
  write(folder, "README", "two\n")
  git(folder, "commit", "-q", "-am", "two")
  git(folder, "checkout", "-q", "other")
  write(folder, "README", "three\n")
  git(folder, "commit", "-q", "-am", "three")
  git(folder, "checkout", "-q", "main")
}

for (const kind of KINDS) {
  for (const [name, make] of Object.entries(DIRTY)) {
    test(`${kind}: ${name}`, async () => {
      const folder = makeRepository()
      make(folder)
      await refuses(folder, kind, "GIT_DIRTY")
    })
  }

  test(`${kind}: our path in conflict`, async () => {
    const folder = makeRepository()
    write(folder, "secrets/A.yaml", "stashed\n")
    git(folder, "stash", "-q")
    write(folder, "secrets/A.yaml", "committed\n")
    git(folder, "commit", "-q", "-am", "x")
    gitFails(folder, "stash", "pop")
    await refuses(folder, kind, "GIT_CONFLICTED")
  })

  for (const [name, make] of Object.entries(PROGRESS)) {
    test(`${kind}: during a ${name}, but not without a commit`, async () => {
      const folder = makeRepository()
      make(folder)
      await refuses(folder, kind, "GIT_IN_PROGRESS")
      const opened = await open(folder, kind)
      assert.is(await opened.state(), name)
      await opened.stage({ files: toFiles({ "secrets/A.yaml": "second\n" }) })
      assert.equal(git(folder, "diff", "--cached", "--name-only", "--", "secrets"), "secrets/A.yaml\n")
    })
  }

  test(`${kind}: an index of a running commit`, async () => {
    const folder = makeRepository()
    const opened = await openGit(folder, { ...env, GIT_INDEX_FILE: ".git/index.lock" }, kind)
    assert.is(await codeOf(commit(opened, { "secrets/A.yaml": "x\n" })), "GIT_IN_PROGRESS")
    const ordinary = await openGit(folder, { ...env, GIT_INDEX_FILE: ".git/index" }, kind)
    await commit(ordinary, { "secrets/A.yaml": "x\n" })
  })

  test(`${kind}: HEAD has moved`, async () => {
    const folder = makeRepository()
    const opened = await open(folder, kind)
    const { commit: base } = await opened.head()
    git(folder, "commit", "-q", "--allow-empty", "-m", "meanwhile")
    const change = { base, files: toFiles({ "secrets/A.yaml": "x\n" }), message: "x", at: AT, verify: true }
    assert.is(await codeOf(opened.commit(change)), "GIT_MOVED")
  })

  for (const step of ["objects", "files-prepared", "index-prepared"] as const) {
    for (const [what, act, code] of [
      [
        "a commit",
        (folder: string) => git(folder, "commit-tree", "HEAD^{tree}", "-m", "x", "-p", "HEAD"),
        "GIT_MOVED",
      ],
      ["an edit", (folder: string) => write(folder, "secrets/A.yaml", "edited\n"), "GIT_DIRTY"],
      [
        "another branch",
        (folder: string) => git(folder, "symbolic-ref", "HEAD", "refs/heads/other"),
        "GIT_MOVED",
      ],
    ] as const) {
      test(`${kind}: ${what} comes between, at ${step}`, async () => {
        const folder = makeRepository()
        git(folder, "branch", "other")
        const opened = await open(folder, kind, reached => {
          if (reached !== step) return
          const out = act(folder)
          if (what === "a commit") git(folder, "update-ref", "HEAD", out!.trim())
        })
        assert.is(await codeOf(commit(opened, { "secrets/A.yaml": "x\n" })), code)
        assert.equal(leftovers(folder), [])
        assert.equal(git(folder, "diff", "--cached", "--name-only"), "")
        if (what !== "an edit") assert.equal(git(folder, "status", "--porcelain"), "")
      })
    }
  }

  for (const step of ["checked", "index-prepared"] as const) {
    test(`${kind}: a commit that leaves the store alone comes between, at ${step}`, async () => {
      const folder = makeRepository()
      const commits: string[] = []
      const opened = await open(folder, kind, reached => {
        if (reached !== step || commits.length > 0) return
        commits.push(git(folder, "commit-tree", "HEAD^{tree}", "-m", "user's", "-p", "HEAD").trim())
        git(folder, "update-ref", "HEAD", commits[0]!)
      })
      const id = await commit(opened, { "secrets/A.yaml": "second\n" }, { scope: "secrets" })
      assert.equal(git(folder, "rev-list", "-2", "HEAD").trim().split("\n"), [id, commits[0]])
      assert.equal(git(folder, "status", "--porcelain"), "")
      assert.equal(leftovers(folder), [])
    })
  }

  test(`${kind}: somebody else's lock on the index or the branch is waited for and never removed`, async () => {
    for (const lock of ["index.lock", "refs/heads/main.lock", "HEAD.lock"]) {
      const folder = makeRepository()
      writeFileSync(join(folder, ".git", lock), "")
      const opened = await open(folder, kind)
      assert.is(await codeOf(commit(opened, { "secrets/A.yaml": "second\n" })), "GIT_LOCKED")
      assert.is(readFileSync(join(folder, ".git", lock), "utf8"), "")
      rmSync(join(folder, ".git", lock))
      assert.equal(git(folder, "status", "--porcelain"), "")
      assert.equal(leftovers(folder), [])
      writeFileSync(join(folder, ".git", lock), "")
      setTimeout(() => rmSync(join(folder, ".git", lock)), 200)
      await commit(opened, { "secrets/A.yaml": "second\n" })
    }
  })

  test(`${kind}: no author`, async () => {
    const folder = makeRepository()
    git(folder, "config", "user.useConfigOnly", "true")
    const settings = join(freshFolder(), "gitconfig")
    writeFileSync(settings, "")
    const opened = await openGit(folder, { ...env, GIT_CONFIG_GLOBAL: settings }, kind)
    assert.is(await codeOf(commit(opened, { "secrets/A.yaml": "x\n" })), "GIT_NO_AUTHOR")
    assert.is(await codeOf(opened.author()), "GIT_NO_AUTHOR")
    const named = {
      GIT_AUTHOR_NAME: "N",
      GIT_AUTHOR_EMAIL: "n@x",
      GIT_COMMITTER_NAME: "C",
      GIT_COMMITTER_EMAIL: "c@x",
    }
    const other = await openGit(folder, { ...env, GIT_CONFIG_GLOBAL: settings, ...named }, kind)
    await commit(other, { "secrets/A.yaml": "x\n" })
    assert.equal(git(folder, "log", "-1", "--format=%an %ae %cn %ce"), "N n@x C c@x\n")
  })

  test(`${kind}: a repository of another user`, async () => {
    if (process.getuid?.() !== 0) return
    const folder = makeRepository()
    const { chownSync } = await import("node:fs")
    for (const path of [".", ".git"]) chownSync(join(folder, path), 1234, 1234)
    assert.is(await codeOf(open(folder, kind)), "GIT_REFUSED")
    const settings = join(freshFolder(), "gitconfig")
    writeFileSync(settings, `${readFileSync(env.GIT_CONFIG_GLOBAL, "utf8")}[safe]\ndirectory = ${folder}\n`)
    const opened = await openGit(folder, { ...env, GIT_CONFIG_GLOBAL: settings }, kind)
    await commit(opened, { "secrets/A.yaml": "x\n" })
  })

  test(`${kind}: no repository, a bare one`, async () => {
    assert.is(await codeOf(open(freshFolder(), kind)), "GIT_NO_REPOSITORY")
    const bare = freshFolder()
    git(bare, "init", "-q", "--bare")
    assert.ok(["GIT_UNSUPPORTED", "GIT_NO_REPOSITORY"].includes(await codeOf(open(bare, kind))))
  })

  test(`${kind}: a repository whose work tree is in another place, looked at from where it is and from there`, async () => {
    const folder = makeRepository()
    const place = realpathSync(freshFolder())
    git(folder, "config", "core.worktree", place)
    const error = await open(folder, kind).then(
      () => assert.unreachable() as never,
      (thrown: CofferError) => thrown,
    )
    assert.is(error.code, "GIT_UNSUPPORTED")
    assert.match(error.message, `work tree in another place ("${place}", core.worktree)`)
    write(place, ".git", `gitdir: ${realpathSync(folder)}/.git\n`)
    assert.is((await open(place, kind)).workTree, place)
  })

  test(`${kind}: a repository of a newer git's`, async () => {
    const folder = makeRepository()
    git(folder, "config", "core.repositoryFormatVersion", "1")
    git(folder, "config", "extensions.notYet", "true")
    const error = await open(folder, kind).then(
      () => assert.unreachable() as never,
      (thrown: CofferError) => thrown,
    )
    assert.is(error.code, "GIT_UNSUPPORTED")
    assert.match(error.message, /extension.*notyet$/i)
    assert.match(error.hint!, "git")
  })

  test(`${kind}: message hooks complete or refuse, and are skipped on request`, async () => {
    const folder = makeRepository()
    hook(folder, "pre-commit", "exit 1")
    hook(folder, "post-commit", `touch "${folder}/ran"`)
    hook(folder, "prepare-commit-msg", 'test "$2" = message && echo "Ticket: 7" >> "$1"')
    hook(
      folder,
      "commit-msg",
      'printf "\\n\\n\\nChange-Id: I1  \\n\\n" >> "$1"; grep -q refuse "$1" && { echo no refusing >&2; exit 1; }; exit 0',
    )
    const opened = await open(folder, kind)
    if (kind !== "system") {
      assert.is(await codeOf(commit(opened, { "secrets/A.yaml": "x\n" })), "GIT_UNSUPPORTED")
      await commit(opened, { "secrets/A.yaml": "x\n" }, { verify: false })
      return
    }
    await commit(opened, { "secrets/A.yaml": "x\n" }, { message: "Set A" })
    assert.equal(git(folder, "log", "-1", "--format=%B"), "Set A\nTicket: 7\n\nChange-Id: I1\n\n")
    const before = git(folder, "rev-parse", "HEAD")
    try {
      await commit(opened, { "secrets/A.yaml": "y\n" }, { message: "refuse\n" })
      assert.unreachable()
    } catch (error) {
      assert.instance(error, CofferError)
      assert.is((error as CofferError).code, "GIT_REFUSED")
      assert.match((error as CofferError).message, "no refusing")
    }
    assert.equal(git(folder, "rev-parse", "HEAD"), before)
    assert.equal(git(folder, "status", "--porcelain"), "")
    assert.equal(leftovers(folder), [])
    await commit(opened, { "secrets/A.yaml": "y\n" }, { message: "refuse\n", verify: false })
    assert.equal(git(folder, "log", "-1", "--format=%B"), "refuse\n\n")
    assert.not.ok(existsSync(join(folder, "ran")))
  })

  test(`${kind}: what would refuse every commit can be asked for`, async () => {
    const folder = makeRepository()
    const opened = await open(folder, kind)
    await opened.requireCommit({ verify: true })
    const nobody = await openGit(folder, { ...env, GIT_COMMITTER_NAME: "" }, kind)
    assert.is(await codeOf(nobody.requireCommit({ verify: true })), "GIT_NO_AUTHOR")
    if (kind === "system") return
    hook(folder, "commit-msg", "exit 0")
    assert.is(await codeOf(opened.requireCommit({ verify: true })), "GIT_UNSUPPORTED")
    await opened.requireCommit({ verify: false })
    git(folder, "config", "commit.gpgSign", "true")
    assert.is(await codeOf((await open(folder, kind)).requireCommit({ verify: false })), "GIT_UNSUPPORTED")
  })

  test(`${kind}: a message hook that takes the message away, makes none of git's, or leaves a process behind`, async () => {
    if (kind !== "system") return
    const folder = makeRepository()
    const opened = await open(folder, kind)
    for (const script of ['rm "$1"', ': > "$1"', 'printf " \\n" > "$1"', 'printf "a\\000b\\n" >> "$1"']) {
      hook(folder, "commit-msg", script)
      assert.is(await codeOf(commit(opened, { "secrets/A.yaml": "x\n" })), "GIT_REFUSED", script)
    }
    hook(folder, "commit-msg", `sleep 60 & echo $! > "${folder}/left"`)
    await commit(opened, { "secrets/A.yaml": "x\n" })
    // Throws where it has ended: it was not waited for.
    process.kill(Number(readFileSync(join(folder, "left"), "utf8")))
  })

  test(`${kind}: a message hook that writes Latin-1 is read as git reads it`, async () => {
    if (kind !== "system") return
    const folder = makeRepository()
    hook(folder, "commit-msg", `printf 'caf\\351 \\303\\251 \\355\\240\\200\\n' >> "$1"`)
    await commit(await open(folder, kind), { "secrets/A.yaml": "x\n" }, { message: "Ä" })
    const written = git(folder, "log", "-1", "--format=%B")
    git(folder, "commit", "-q", "--allow-empty", "-m", "Ä")
    assert.equal(written, git(folder, "log", "-1", "--format=%B"))
  })

  test(`${kind}: commit.gpgSign that is no boolean is refused, as git does`, async () => {
    const folder = makeRepository()
    git(folder, "config", "commit.gpgSign", "garbage")
    const opened = await open(folder, kind)
    assert.is(await codeOf(opened.requireCommit({ verify: true })), "GIT_FAILED")
    await refuses(folder, kind, "GIT_FAILED")
  })

  test(`${kind}: a reference-transaction hook that rejects leaves no trace`, async () => {
    const folder = makeRepository()
    hook(folder, "reference-transaction", 'test "$1" = prepared || exit 0; echo protected >&2; exit 1')
    await refuses(folder, kind, kind === "system" ? "GIT_REFUSED" : "GIT_UNSUPPORTED")
    const log = join(folder, "log")
    hook(folder, "reference-transaction", `{ echo "$1"; cat; } >> "${log}"`)
    if (kind !== "system") return
    const id = await commit(await open(folder, kind), { "secrets/A.yaml": "x\n" })
    assert.match(readFileSync(log, "utf8"), `${id} refs/heads/main`)
    assert.not.match(readFileSync(log, "utf8"), "refs/coffer")
  })

  test(`${kind}: commits are signed where the user signs his`, async () => {
    const folder = makeRepository()
    const { execFileSync } = await import("node:child_process")
    const key = join(freshFolder(), "key")
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f", key])
    writeFileSync(`${key}.allowed`, `ann@example.com ${readFileSync(`${key}.pub`, "utf8")}`)
    const settings = {
      "commit.gpgSign": "yes",
      "gpg.format": "ssh",
      "user.signingKey": key,
      "gpg.ssh.allowedSignersFile": `${key}.allowed`,
    }
    for (const [name, value] of Object.entries(settings)) git(folder, "config", name, value)
    const opened = await open(folder, kind)
    if (kind !== "system") {
      assert.is(await codeOf(commit(opened, { "secrets/A.yaml": "x\n" })), "GIT_UNSUPPORTED")
      return
    }
    await commit(opened, { "secrets/A.yaml": "x\n" }, { message: "Set Ä\n" })
    git(folder, "verify-commit", "HEAD")
    assert.equal(git(folder, "log", "-1", "--format=%B %at"), `Set Ä\n ${AT.getTime() / 1000}\n`)
    fsck(folder)
    git(folder, "config", "user.signingKey", "/nowhere")
    await refuses(folder, kind, "GIT_SIGN_FAILED")
  })
}

test.run()

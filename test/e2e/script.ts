/**
 * Scripts that run the built coffer and real git in a temporary folder, and what they look like:
 *
 *     # a line at the top says what is shown
 *     # only: system                     where it is not for both back ends
 *     --- notes/file.txt                 a file, up to the line ---
 *     content
 *     ---
 *     $ coffer list                      run by sh; folder, variables and exports are kept
 *     API_TOKEN                          its stdout, exactly
 *     ! coffer: warning: …               its stderr, exactly
 *     ? 10                               its exit status, where that is not 0
 *
 * `…` stands for any text in a line, and alone for any lines. `as NAME` makes somebody else go on.
 * $CANARY is a value that must show up nowhere but where it is asked for: see checks.ts.
 */

export interface Step {
  readonly line: number
  readonly command: string
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
  readonly status: number
}

export interface InlineFile {
  readonly line: number
  readonly path: string
  readonly content: string
}

export interface Script {
  readonly title: string
  readonly only: string | undefined
  readonly steps: readonly (Step | InlineFile)[]
}

export function parseScript(text: string): Script {
  const lines = text.split("\n")
  const comments = lines.filter(line => line.startsWith("# ")).map(line => line.slice(2))
  const steps: (Step | InlineFile)[] = []
  let step: { line: number; command: string; stdout: string[]; stderr: string[]; status: number } | undefined
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    if (line.startsWith("--- ")) {
      const end = lines.indexOf("---", i)
      if (end < 0) throw new Error(`line ${i + 1}: a file without its end`)
      steps.push({
        line: i + 1,
        path: line.slice(4),
        content: lines
          .slice(i + 1, end)
          .map(each => `${each}\n`)
          .join(""),
      })
      step = undefined
      i = end
    } else if (line.startsWith("$ ")) {
      let command = line.slice(2)
      while (command.endsWith("\\")) command = `${command.slice(0, -1)}${lines[++i]!.trimStart()}`
      step = { line: i + 1, command, stdout: [], stderr: [], status: 0 }
      steps.push(step)
    } else if (line === "") step = undefined
    else if (step === undefined) {
      if (!line.startsWith("#")) throw new Error(`line ${i + 1}: output of nothing`)
    } else if (line.startsWith("? ")) step.status = Number(line.slice(2))
    else if (line.startsWith("! ")) step.stderr.push(line.slice(2))
    else step.stdout.push(line)
  }
  return {
    title: comments[0] ?? "",
    only: comments.find(comment => comment.startsWith("only: "))?.slice(6),
    steps,
  }
}

/** Whether lines are the expected ones, in which `…` stands for any text and alone for any lines. */
export function matches(expected: readonly string[], actual: string): boolean {
  const pattern = expected
    .map(line => (line === "…" ? "(?:.*\n)*?" : `${line.split("…").map(escapeRegExp).join(".*")}\n`))
    .join("")
  return new RegExp(`^${pattern}$`).test(actual === "" || actual.endsWith("\n") ? actual : `${actual}\n`)
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")
}

/** Text as a POSIX shell reads it. */

/** One word, in single quotes: the one quoting that bash, dash and zsh all read exactly, whatever is inside. */
export function quoteForShell(text: string): string {
  return `'${text.replace(/'/g, "'\\''")}'`
}

/** A word of a command that somebody is told to type: in quotes only where a shell would take it for something else. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=,][\w./:@%+=,~-]*$/.test(text) ? text : quoteForShell(text)
}

/** A path of the repository as git takes it in every folder of the repository, in a command that somebody is told to type. */
export function gitPath(path: string): string {
  return shellWord(`:/${path}`)
}

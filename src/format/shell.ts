/** Text as a POSIX shell reads it. */

/** One word, in single quotes: the one quoting that bash, dash and zsh all read exactly, whatever is inside. */
export function quoteForShell(text: string): string {
  return `'${text.replace(/'/g, "'\\''")}'`
}

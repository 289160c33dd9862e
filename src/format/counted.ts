/** Numbers of things in messages. */

/** `1 secret`, `2 secrets`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`
}

/** Questions that an admin answers by name: who is taken in by a merge, whose writing by `--finish`. */
import { CofferError } from "../errors.js"
import type { Store } from "./store.js"

/** Something that is only taken in by name. */
export interface Candidate {
  readonly name: string
  /** `take "bot" into "prod" as rotator` */
  readonly question: string
}

/**
 * Asks for each candidate who is not named yet.
 *
 * @param accept - names given with `--accept`; where there are any, nobody is asked and others are left out.
 * @returns the names taken in.
 * @throws CofferError `USAGE` where there is nobody to ask and no name was given.
 */
export async function askByName(
  store: Store,
  candidates: readonly Candidate[],
  accept: readonly string[] | undefined,
): Promise<ReadonlySet<string>> {
  const taken = new Set<string>()
  for (const { name, question } of candidates) {
    if (accept?.includes(name)) taken.add(name)
    else if (accept === undefined && store.confirm !== undefined && (await store.confirm(`${question}?`)))
      taken.add(name)
  }
  if (accept === undefined && store.confirm === undefined && candidates.length > 0)
    throw nobodyToAsk(candidates)
  for (const { name, question } of candidates) if (!taken.has(name)) store.note(`left out: ${question}`)
  return taken
}

function nobodyToAsk(candidates: readonly Candidate[]): CofferError {
  const names = [...new Set(candidates.map(({ name }) => name))]
  return new CofferError(
    "USAGE",
    `somebody has to decide: ${candidates.map(({ question }) => question).join("; ")}?`,
    {
      hint: `${names.map(name => `--accept ${name}`).join(" ")}, each for who is taken in; or run it on a terminal`,
    },
  )
}

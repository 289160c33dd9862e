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
 * @returns those taken in.
 * @throws CofferError `USAGE` where there is nobody to ask and no name was given.
 */
export async function askByName<C extends Candidate>(
  store: Store,
  candidates: readonly C[],
  accept: readonly string[] | undefined,
): Promise<ReadonlySet<C>> {
  const taken = new Set<C>()
  for (const candidate of candidates) {
    const { name, question } = candidate
    if (accept?.includes(name)) taken.add(candidate)
    else if (accept === undefined && store.confirm !== undefined && (await store.confirm(`${question}?`)))
      taken.add(candidate)
  }
  if (accept === undefined && store.confirm === undefined && candidates.length > 0)
    throw nobodyToAsk(candidates)
  for (const candidate of candidates) if (!taken.has(candidate)) store.note(`left out: ${candidate.question}`)
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

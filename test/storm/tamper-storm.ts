/** The long tamper run: every bit and every truncation, 20,000 edits, 2,450 swaps, thousands of record graphs. */
import { CofferError } from "../../src/errors.js"
import { verifyKeyring } from "../../src/keyring/verify.js"
import { currentOf, inputOf, knownOf, makePeople, register } from "../keyring/graphs.js"
import { playHistory, randomFrom } from "../keyring/histories.js"
import { mutateRecords } from "../keyring/mutations.js"
import type { StormOptions } from "./main.js"
import { editAtRandom, flipAndCut, makeVictim, mixKinds, newTally, swapAll, type Tally } from "./tamper.js"
import { replayAll } from "./tamper-replay.js"

const EDITS = 20_000
const GRAPHS = 3000
const MUTATIONS = 2000
/** Older versions of each secret. */
const VERSIONS = 4

export async function tamperStorm({ seed }: StormOptions): Promise<boolean> {
  const victim = await makeVictim(50)
  try {
    const parts: [string, (tally: Tally) => Promise<void>][] = [
      ["every single-bit flip and every truncation", tally => flipAndCut(victim, tally, 1)],
      [`${EDITS} random edits`, tally => editAtRandom(victim, tally, EDITS, randomFrom(seed))],
      ["every ordered swap among 50 secrets", tally => swapAll(victim, tally)],
      ["each kind of file as each other kind", tally => mixKinds(victim, tally)],
      ["every older version over a newer one", tally => replayAll(victim, tally, VERSIONS)],
    ]
    let held = true
    for (const [what, run] of parts) {
      const tally = newTally()
      await run(tally)
      report(what, tally)
      held &&= tally.accepted.length === 0
    }
    return (await graphs(seed)) && held
  } finally {
    victim.remove()
  }
}

function report(what: string, { tried, refused, identical, accepted, codes }: Tally): void {
  const byCode = [...codes].sort(([, a], [, b]) => b - a).map(([code, count]) => `${code} ${count}`)
  console.log(
    `${what}: ${tried} tried, ${refused} refused, ${identical} identical, ${accepted.length} accepted`,
  )
  console.log(`  ${byCode.join(", ")}`)
  for (const one of accepted.slice(0, 10)) console.log(`  ACCEPTED: ${one}`)
}

/** Random honest and forked graphs, and random mutations of them. */
async function graphs(seed: number): Promise<boolean> {
  const people = Object.values(
    await makePeople("ana", "bob", "cat", "dan", "eva", "fay", "gus", "hal", "ida", "jon"),
  )
  register(...people)
  let [won, lost, pins, forks] = [0, 0, 0, 0]
  for (let round = 0; round < GRAPHS; round++) {
    const { honest, givenUp, evil, safePins, tip } = playHistory(randomFrom(`${seed}/${round}`), people)
    forks += evil.length
    for (const pin of safePins) {
      pins++
      const current = judge(inputOf([...honest, ...givenUp, ...evil], { pin }))
      if (current?.join() === tip.id) won++
      else lost++
    }
  }
  console.log(
    `${GRAPHS} graphs with ${forks} forks under ${pins} pins: the honest tip won ${won}, lost ${lost}`,
  )
  let [refused, same, accepted] = [0, 0, 0]
  for (let round = 0; round < MUTATIONS; round++) {
    const random = randomFrom(`${seed}/mutation/${round}`)
    const { honest, tip } = playHistory(random, people)
    const { files, what } = mutateRecords(random, people, honest)
    const current = judge({ ...inputOf(honest, { pin: tip, known: knownOf(honest, tip) }), files })
    if (current === undefined) refused++
    else if (current.join() === tip.id) same++
    else {
      accepted++
      console.log(`  ACCEPTED: ${what} (mutation ${round})`)
    }
  }
  console.log(`${MUTATIONS} mutations: ${refused} refused, ${same} without effect, ${accepted} accepted`)
  return lost === 0 && accepted === 0
}

/** Ids of the current records, or undefined where verification refuses. */
function judge(input: Parameters<typeof verifyKeyring>[0]): readonly string[] | undefined {
  try {
    return currentOf(verifyKeyring(input))
  } catch (error) {
    if (error instanceof CofferError) return undefined
    throw error
  }
}

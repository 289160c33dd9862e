/** What every sequence of the model storm starts from: a small team at work, as coffer made it and as the model has it. */
import type { Kind } from "./arena.js"
import { CloneModel, type Commit, makeCommit } from "./model-clone.js"
import { makeRec, type Rec, ROOT } from "./model-keyring.js"
import { compare, learnRecords, outcome } from "./model-observe.js"
import { adding, grouping, type StoreOperation, setting } from "./model-operations.js"
import { Places, timeOf } from "./model-places.js"

const SETUP: readonly StoreOperation[] = [
  adding({ name: "tom", role: "admin", groups: [ROOT] }),
  adding({ name: "eva", role: "writer", groups: [ROOT] }),
  ...["A", "B", "prod/X", "prod/Y", "ops/K"].map(name => setting({ name, value: "value-0" })),
  grouping("prod", [
    { name: "tom", role: "admin" },
    { name: "eva", role: "reader" },
  ]),
  adding({ name: "bot", role: "rotator", groups: ["prod", ROOT] }),
  setting({ name: "A", value: "value-1", meta: new Map([["owner", "x"]]) }),
  setting({ name: "prod/X", value: "value-2" }),
]

export interface Start {
  readonly places: Places
  readonly commit: Commit
  readonly pin: Rec
  /** What both clones know. */
  readonly newest: ReadonlyMap<string, Rec>
  readonly minute: number
}

/** Made once for each back end; the model's part never changes, the real one is copied. */
export async function prepareStart(kind: Kind): Promise<Start> {
  const places = new Places(kind)
  const first = { group: ROOT, reason: "init", author: "ana", members: new Map([["ana", "admin"]] as const) }
  const pin = makeRec(first, [])
  const model = new CloneModel(pin, makeCommit([], new Map(), new Set([pin])))
  let minute = 0
  const printed = await places.found(timeOf(minute))
  const [real] = places.clones()
  learnRecords(real, model)
  for (const operation of SETUP) {
    const at = timeOf(++minute)
    const expected = await outcome(() => operation.expect(model, { by: "ana", at: minute }))
    const store = await real.open("ana")
    compare(
      operation.text,
      await outcome(async () => (await operation.run(store, at, places.cards)).changed),
      expected,
    )
    learnRecords(real, model)
  }
  await places.keep(printed)
  return { places, commit: model.head, pin, newest: model.newest, minute }
}

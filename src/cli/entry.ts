/** What both bundles of the command line export: bin/load.js chooses between main.ts and get-main.ts. */
import { type Host, processHost } from "./host.js"
import { errorForm, reportError } from "./output.js"

export interface Entry {
  /** Runs coffer in the real process. */
  main(): void
  /** Runs coffer and returns the exit status. Never throws. */
  runMain(host: Host): Promise<number>
}

/** @param run - returns the exit status; what it throws is reported. */
export function entry(run: (host: Host) => Promise<number>): Entry {
  const runMain = async (host: Host) => {
    try {
      return await run(host)
    } catch (error) {
      return reportError(host, error, errorForm(host.argv))
    }
  }
  return {
    runMain,
    main() {
      const host = processHost()
      runMain(host).then(host.exit)
    },
  }
}

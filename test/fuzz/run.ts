/** Properties that are checked with other random values each time, for a bounded time; and how to do it again, or longer. */

import fc from 'fast-check'

const { EVENTFLOW_FUZZ_SEED: SEED, EVENTFLOW_FUZZ_RUNS: RUNS } = process.env

/** How long a test may take for its property, and vitest's limit for it, in milliseconds. */
export const FUZZ_TIMEOUT_MS = RUNS === undefined ? 60_000 : 3_600_000

/**
 * Check `property` `runs` times, or as often as there is time for. EVENTFLOW_FUZZ_RUNS makes it run that often whatever
 * the time, EVENTFLOW_FUZZ_SEED begins where an earlier run did.
 */
export async function fuzz<T extends [unknown, ...unknown[]]>(
  property: fc.IAsyncProperty<T>,
  runs: number,
  withinMs: number,
): Promise<void> {
  const seed = SEED === undefined ? Date.now() % 0x7fffffff : Number(SEED)
  const details = await fc.check(property, {
    seed,
    numRuns: RUNS === undefined ? runs : Number(RUNS),
    endOnFailure: true, // the broker is not the same after a failure: there is no shrinking
    ...(RUNS === undefined ? { interruptAfterTimeLimit: withinMs, markInterruptAsFailure: false } : {}),
  })
  if (!details.failed) return
  const again = `EVENTFLOW_FUZZ_SEED=${seed} EVENTFLOW_FUZZ_RUNS=${details.numRuns}`
  throw new Error(`run ${details.numRuns} failed; ${again} does it again\n${fc.defaultReportMessage(details)}`, {
    cause: details.errorInstance,
  })
}

/**
 * How often a property is tried. For longer than in CI: `TEST_RUNS=5000 npx vitest run test/property/exactly-once.test.ts`, with
 * TEST_SEED to begin where an earlier run did.
 */

// Not EVENTFLOW_ variables: a broker that the test starts would read them, and refuse what it does not know.
const { TEST_RUNS: RUNS, TEST_SEED: SEED } = process.env

/** Runs that have not begun by then are left out: a machine that is busy tries fewer, and fails for nothing else. Milliseconds. */
const ENOUGH_MS = 20_000

interface Runs {
  numRuns: number
  seed?: number
  interruptAfterTimeLimit?: number
  markInterruptAsFailure?: boolean
}

/** For `fc.assert`: so many runs, unless the environment says otherwise. */
export function runs(usual: number): Runs {
  const seed = SEED === undefined ? {} : { seed: Number(SEED) }
  if (RUNS !== undefined) return { numRuns: Number(RUNS), ...seed }
  return { numRuns: usual, interruptAfterTimeLimit: ENOUGH_MS, markInterruptAsFailure: false, ...seed }
}

/** For a test of such a property: milliseconds that it may take. */
export const RUNS_TIMEOUT_MS = RUNS === undefined ? 120_000 : 24 * 3_600_000

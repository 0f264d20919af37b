/**
 * How often a property is tried. For longer than in CI: `TEST_RUNS=5000 npx vitest run test/property/exactly-once.test.ts`, with
 * TEST_SEED to begin where an earlier run did.
 */

// Not EVENTFLOW_ variables: a broker that the test starts would read them, and refuse what it does not know.
const { TEST_RUNS: RUNS, TEST_SEED: SEED } = process.env

/** For `fc.assert`: so many runs, unless the environment says otherwise. */
export function runs(usual: number): { numRuns: number; seed?: number } {
  return { numRuns: RUNS === undefined ? usual : Number(RUNS), ...(SEED === undefined ? {} : { seed: Number(SEED) }) }
}

/** Milliseconds that a test may take that usually needs `usual`. */
export function patience(usual: number): number {
  return RUNS === undefined ? usual : 24 * 3_600_000
}

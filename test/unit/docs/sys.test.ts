import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { TOPICS } from '../../../plugins/sys/topics.ts'

const page = readFileSync(new URL('../../../docs/sys.md', import.meta.url), 'utf8')

/** The topics of the page's tables in order, those of a period once for each. */
function documented(): string[] {
  const rows = page.matchAll(/^\| `(\$SYS\/[^`]+)` \| (?:(?:[a-z]+) \| [A-Z].{10,}\.|[^|]{5,}) \|$/gm)
  return [...rows].flatMap(([, topic]) =>
    topic!.endsWith('/<period>')
      ? ['1min', '5min', '15min'].map((period) => topic!.replace('<period>', period))
      : topic!,
  )
}

it('docs/sys.md has every topic below $SYS with its unit and meaning, in order, and no other', () => {
  expect(documented()).toEqual([...TOPICS.keys()])
})

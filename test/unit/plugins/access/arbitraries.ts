/** Random topics and filters over few letters, so that they meet often. */

import fc from 'fast-check'

const LETTERS = ['a', 'b', 'c', '', '$x']

export function topics(letters: readonly string[] = LETTERS, maxLevels = 4): fc.Arbitrary<string> {
  return joined(fc.constantFrom(...letters), maxLevels)
}

export function filters(letters: readonly string[] = LETTERS, maxLevels = 4): fc.Arbitrary<string> {
  const plain = joined(fc.constantFrom('+', ...letters), maxLevels)
  const open = joined(fc.constantFrom('+', ...letters), maxLevels - 1).map((head) => `${head}/#`)
  return fc.oneof(plain, open, fc.constant('#'))
}

function joined(level: fc.Arbitrary<string>, maxLevels: number): fc.Arbitrary<string> {
  const levels = fc.array(level, { minLength: 1, maxLength: maxLevels })
  return levels.map((some) => some.join('/')).filter((text) => text !== '')
}

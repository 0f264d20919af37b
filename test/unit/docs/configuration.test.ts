import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { FLAGS } from '../../../src/config/flags.ts'
import { listOptions } from '../../../src/config/options.ts'

const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')

/** The rows of the table under `heading`, as cells without backticks. */
function table(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  const lines = section.split('\n').filter((line) => line.startsWith('|'))
  return lines.slice(2).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  )
}

it('docs/configuration.md has every option with default, variable and meaning, and nothing else', () => {
  const options = listOptions().map((option) => {
    const { default: given } = option
    const asText = given === undefined ? 'required' : typeof given === 'string' ? given : JSON.stringify(given)
    return [option.path, asText, option.variable, option.meaning]
  })
  expect(table('Options')).toEqual(options)
})

it('docs/configuration.md has every flag with its option, and nothing else', () => {
  const rows = table('Flags').map(([flag, option]) => [flag!.split(' ')[0], option])
  expect(rows).toEqual(Object.entries(FLAGS).map(([flag, option]) => [`--${flag}`, option]))
})

/**
 * `npm ci` refuses a lock file that lacks a package, be it one for another system; npm leaves those out when it writes the file from
 * an installed tree. `npm install --package-lock-only`, without node_modules, writes it whole.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

interface Locked {
  readonly dev?: boolean
  readonly engines?: { readonly node?: string }
  readonly resolved?: string
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
}

const read = (name: string) => JSON.parse(readFileSync(join(import.meta.dirname, '../..', name), 'utf8'))
const packages = read('package-lock.json').packages as Record<string, Locked>

/** Where Node.js would find `name` from `from`: in its own folder of packages, or in one above. */
function isLocked(from: string, name: string): boolean {
  for (let folder = from; ; folder = folder.slice(0, Math.max(folder.lastIndexOf('/node_modules/'), 0))) {
    if (`${folder === '' ? '' : `${folder}/`}node_modules/${name}` in packages) return true
    if (folder === '') return false
  }
}

it('the lock file has every package that one in it asks for, for all systems', () => {
  const missing = Object.entries(packages).flatMap(
    ([from, { dependencies, devDependencies, optionalDependencies }]) => {
      const wanted = Object.keys({ ...dependencies, ...(from === '' ? devDependencies : {}), ...optionalDependencies })
      return wanted.filter((name) => !isLocked(from, name))
    },
  )
  expect(missing).toEqual([])
})

it('the lock file asks for what package.json asks for', () => {
  const { dependencies, devDependencies, optionalDependencies } = read('package.json') as Locked
  expect(packages['']).toMatchObject({
    dependencies,
    devDependencies,
    ...(optionalDependencies && { optionalDependencies }),
  })
})

it('the lock file names no registry but the public one', () => {
  const places = Object.values(packages).flatMap(({ resolved }) => resolved ?? [])
  expect(places.filter((place) => !place.startsWith('https://registry.npmjs.org/'))).toEqual([])
})

/** Whether a range of versions has this one; of the forms that package.json files say `engines` in. */
function allows(range: string, version: string): boolean {
  const numbers = (text: string) => text.split('.').map(Number)
  const [major = 0, minor = 0] = numbers(version)
  return range.split('||').some((part) => {
    const [, sign, from] = /^(>=|\^|)\s*([\d.]+|\*)/.exec(part.trim())!
    if (from === '*') return true
    const [wanted = 0, least = 0] = numbers(from!)
    if (sign === '>=' && major > wanted) return true
    return major === wanted && minor >= least
  })
}

it('every package that is installed with ours runs on the oldest Node.js that ours runs on', () => {
  const oldest = read('package.json').engines.node.replace('>=', '')
  expect(allows('>=22', oldest)).toBe(false)
  expect(allows('^18.2.0 || ^20.0.0', oldest)).toBe(true)
  const newer = Object.entries(packages).filter(
    ([, { dev, engines }]) => !dev && engines?.node !== undefined && !allows(engines.node, oldest),
  )
  expect(newer.map(([name]) => name)).toEqual([])
})

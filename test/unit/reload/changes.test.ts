import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { resolveConfig } from '../../../src/config/load.ts'
import { listOptions } from '../../../src/config/options.ts'
import { changedOptions, LIVE_OPTIONS, withOptionsOf } from '../../../src/reload/changes.ts'

const TLS = { cert: 'c', key: 'k' }
const rules = [{ allow: 'publish' as const, topics: ['a'] }]

it('options that differ go by their paths; lists, and groups that were not there, as a whole', () => {
  const before = resolveConfig({ listeners: { wss: TLS }, queue: { backoff: { max: '2m' } } })
  const after = resolveConfig({ listeners: { tls: TLS, wss: { ...TLS, key: 'other' } }, access: { rules } })
  const changed = ['listeners.tls', 'listeners.wss.key', 'queue.backoff.max', 'access.rules']
  expect(changedOptions(before, after)).toEqual(changed)
  expect(changedOptions(after, after)).toEqual([])
})

it('what cannot change keeps its old value beside new ones', () => {
  const before = resolveConfig({ node: 'one' })
  const after = resolveConfig({ node: 'two', listeners: { tls: TLS, tcp: { port: 1 } }, access: { rules } })
  const mixed = withOptionsOf(before, after, ['node', 'listeners.tls', 'listeners.tcp.port'])
  expect(mixed).toEqual(resolveConfig({ node: 'one', access: { rules } }))
  expect(after.node).toBe('two')
})

it('options that take effect while the broker runs are options, and docs/configuration.md lists them', () => {
  const options = new Set(listOptions().map(({ path }) => path))
  expect([...LIVE_OPTIONS].filter((path) => !options.has(path))).toEqual([])
  const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')
  const section = page.split('\n## Changing it while the broker runs\n')[1]!.split('\n## ')[0]!
  const rows = [...section.matchAll(/^\| (`.*) \| .* \|$/gm)].flatMap(([, cell]) =>
    cell!.replaceAll('`', '').split(', '),
  )
  const named = [...LIVE_OPTIONS].map((path) => path.replace(/^listeners\.[a-z]+/, 'listeners.*'))
  expect(
    rows.filter((path) => !/^(queue|access|jwt|httpAuth)\.\*$|^(http|status|sys)\./.test(path)).toSorted(),
  ).toEqual([...new Set(named)].toSorted())
})

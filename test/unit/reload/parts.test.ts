import { expect, it } from 'vitest'
import { resolveConfig } from '../../../src/config/load.ts'
import { isLive, optionsOf } from '../../../src/reload/parts.ts'

const PLUGINS = ['status', 'status-file', 'access', 'queue']
const reload = () => {}
const RELOADABLE = [
  { name: 'status', instance: { reload, fixed: ['topic'] } },
  { name: 'queue', instance: { reload } },
]

it.each([
  ['queue.prefetch', true, 'its plugin takes it'],
  ['status.recent', true, 'its plugin takes it'],
  ['status.topic', false, 'its plugin says that it keeps it'],
  ['status.file.path', false, 'it is of another plugin, which takes none'],
  ['status.file', false, 'it turns a plugin on or off'],
  ['access.rules', false, 'its plugin takes none'],
  ['mqtt.maxPacketSize', true, 'it is one of ours that does'],
  ['store.path', false, 'it is one of ours that does not'],
])('%s takes effect while the broker runs: %s, for %s', (path, expected) => {
  expect(isLive(path, PLUGINS, RELOADABLE)).toBe(expected)
})

it('a plugin has the options under its name, a dash being a dot; none is an empty group', () => {
  const config = resolveConfig({ sys: { interval: 7 } })
  expect([optionsOf(config, 'sys'), optionsOf(config, 'status-file'), optionsOf(config, 'mine')]).toEqual([
    { interval: 7 },
    config.status.file,
    {},
  ])
})

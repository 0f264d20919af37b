import { describe, expect, it } from 'vitest'
import { Namespaces } from '../../../src/kernel/namespaces.ts'
import { RecordingNamespace } from './support.ts'

function make(...prefixes: string[]) {
  const namespaces = new Namespaces()
  const owners = new Map(prefixes.map((prefix) => [prefix, new RecordingNamespace()]))
  for (const [prefix, namespace] of owners) namespaces.claim(prefix, namespace)
  /** The prefix that owns the topic. */
  const ownerOf = (topic: string) => [...owners].find(([, owner]) => owner === namespaces.ownerOf(topic))?.[0]
  return { namespaces, ownerOf }
}

describe('a topic or a filter', () => {
  it.each([
    ['a', ''],
    ['#', ''],
    ['+/a', ''],
    ['queue', ''],
    ['queues/a', ''],
    ['/queue/a', ''],
    ['queue/', 'queue/'],
    ['queue/a', 'queue/'],
    ['queue/#', 'queue/'],
    ['queue/a/dlq/b', 'queue/a/'],
    ['$eventflow/x', '$eventflow/'],
  ])('%j is owned by the longest prefix: %j', (topic, prefix) => {
    expect(make('', 'queue/a/', 'queue/', '$eventflow/').ownerOf(topic)).toBe(prefix)
  })

  it('has the same owner in whatever order prefixes were claimed', () => {
    expect(make('queue/', '', 'queue/a/').ownerOf('queue/a/b')).toBe('queue/a/')
    expect(make('queue/a/', 'queue/', '').ownerOf('queue/a/b')).toBe('queue/a/')
  })

  it.each([
    ['$q/a/b', 'queue/a/b'],
    ['$queue/#', 'queue/#'],
    ['$queue', '$queue'],
    ['$share/g/$q/a', '$share/g/$q/a'],
    ['q/a', 'q/a'],
  ])('has one name, whatever it was called by: %j is %j', (topic, canonical) => {
    const { namespaces } = make('', 'queue/')
    namespaces.alias('$q/', 'queue/')
    namespaces.alias('$queue/', 'queue/')
    expect(namespaces.canonical(topic)).toBe(canonical)
    expect(() => namespaces.claim('$q/', new RecordingNamespace())).toThrow(
      expect.objectContaining({ code: 'NAMESPACE_TAKEN' }),
    )
  })

  it('behind a group has one name, too', () => {
    const { namespaces } = make('', 'queue/')
    namespaces.alias('$q/', 'queue/')
    expect(namespaces.placeOf('$share/g/$q/a').filter).toBe('queue/a')
  })

  it('that nobody owns is a fault of the broker', () => {
    expect(() => make('queue/').namespaces.ownerOf('a')).toThrow(expect.objectContaining({ code: 'PLUGIN_FAILED' }))
  })
})

describe('a prefix', () => {
  it('is claimed once', () => {
    const { namespaces, ownerOf } = make('queue/')
    expect(() => namespaces.claim('queue/', new RecordingNamespace())).toThrow(
      expect.objectContaining({ code: 'NAMESPACE_TAKEN' }),
    )
    expect(ownerOf('queue/a')).toBe('queue/')
  })
})

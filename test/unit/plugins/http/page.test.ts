import { expect, it } from 'vitest'
import { pageOf } from '../../../../plugins/http/page.ts'

const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n).padStart(6, '0'))
const itself = (key: string): string => key

it('goes through a long list in pages that have each entry once, in order, whatever the order that it is in', async () => {
  const all = numbers(30_000)
  const mixed = all.toSorted((a, b) => ((Number(a) * 7919) % 30_011) - ((Number(b) * 7919) % 30_011))
  const found: string[] = []
  for (let after: string | null = ''; after !== null; ) {
    const page: { items: string[]; next: string | null } = await pageOf(mixed, itself, { after, limit: 7_000 })
    found.push(...page.items)
    after = page.next
  }
  expect(found).toEqual(all)
})

it('lets others have their turn, also while it finds nothing that is wanted', async () => {
  let turns = 0
  const count = (): void => {
    turns++
    timer = setImmediate(count)
  }
  let timer = setImmediate(count)
  const page = await pageOf(numbers(50_000), itself, { limit: 1 }, (key) => key === '049999')
  clearImmediate(timer)
  expect(page).toEqual({ items: ['049999'], next: null })
  expect(turns).toBeGreaterThanOrEqual(9)
})

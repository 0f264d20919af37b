/** Being asked before something is destroyed. */

import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { WronglyCalled } from '../../../src/cli/command.ts'
import { confirmed } from '../../../src/cli/confirm.ts'

function terminal(isTTY = true) {
  return { input: Object.assign(new PassThrough(), { isTTY }), output: Object.assign(new PassThrough(), { isTTY }) }
}

describe('a question', () => {
  it.each([
    ['y\n', true],
    [' YES \n', true],
    ['n\n', false],
    ['\n', false],
    ['yesterday\n', false],
  ])('is answered with %j: %s', async (typed, answer) => {
    const { input, output } = terminal()
    const asked = confirmed('Really?', { input, output })
    input.write(typed)
    expect(await asked).toBe(answer)
    expect(String(output.read())).toContain('Really? [y/N] ')
  })

  it('is answered with no when the input ends', async () => {
    const { input, output } = terminal()
    const asked = confirmed('Really?', { input, output })
    input.end()
    expect(await asked).toBe(false)
  })

  it('is not asked where there is no terminal', async () => {
    await expect(confirmed('Really?', terminal(false))).rejects.toThrow(WronglyCalled)
  })
})

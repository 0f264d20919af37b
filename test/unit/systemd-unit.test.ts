/** The unit for systemd is one that systemd understands, every line of it, and keeps the service from what it does not need. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const UNIT = join(import.meta.dirname, '../../config/eventflow.service')
const analyze = (...words: string[]) => spawnSync('systemd-analyze', words, { encoding: 'utf8' })
const isHere = analyze('--version').status === 0

it.skipIf(!isHere)('systemd has nothing to say about the unit', () => {
  const { status, stdout, stderr } = analyze('verify', '--man=no', UNIT)
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
})

it('the service has no capabilities, and tells when it is ready', () => {
  const lines = readFileSync(UNIT, 'utf8').split('\n')
  const wanted = ['Type=notify', 'CapabilityBoundingSet=', 'NoNewPrivileges=yes', 'RestartPreventExitStatus=2']
  expect(lines).toEqual(expect.arrayContaining(wanted))
})

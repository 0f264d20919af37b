/** A logger for tests that do not look at what is logged. */

import type { Logger } from '../../src/kernel/plugin-contract.ts'

export const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }

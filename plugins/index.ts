/** The plugins that are built in, in the order in which they are set up: the first one sees what becomes of the others. */

import type { Plugin } from '../src/plugin.ts'
import { access } from './access/index.ts'
import { delayed } from './delayed/index.ts'
import { http } from './http/index.ts'
import { httpAuth } from './http-auth/index.ts'
import { jwt } from './jwt/index.ts'
import { queue } from './queue/index.ts'
import { status } from './status/index.ts'
import { statusFile } from './status-file/index.ts'
import { sys } from './sys/index.ts'

export type { AccessControl } from './access/index.ts'
export type { HttpControl } from './http/index.ts'
export type { QueueControl } from './queue/index.ts'

export const builtInPlugins: ReadonlyArray<Plugin<never>> = [
  ...[statusFile, queue, delayed, status, sys],
  ...[jwt, httpAuth, access],
  http,
]

/** The plugins that are built in, in the order in which they are set up. */

import type { Plugin } from '../src/plugin.ts'
import { access } from './access/index.ts'
import { delayed } from './delayed/index.ts'
import { httpAuth } from './http-auth/index.ts'
import { jwt } from './jwt/index.ts'
import { queue } from './queue/index.ts'
import { status } from './status/index.ts'
import { sys } from './sys/index.ts'

export type { AccessControl } from './access/index.ts'
export type { QueueControl } from './queue/index.ts'

export const builtInPlugins: ReadonlyArray<Plugin<never>> = [queue, delayed, status, sys, jwt, httpAuth, access]

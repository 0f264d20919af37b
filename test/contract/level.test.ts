import { openStore } from '../../src/store/open.ts'
import { storeContract } from './store.ts'

function onFault(error: Error): void {
  throw error
}

storeContract('level', { persistent: true, open: (path) => openStore({ kind: 'level', path, onFault }) })
storeContract('memory', { persistent: false, open: (path) => openStore({ kind: 'memory', path, onFault }) })

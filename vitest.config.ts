import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Many tests wait for processes and sockets: on two processors, two files at a time, where one would be the default.
  test: { include: ['test/**/*.test.ts'], testTimeout: 20_000, hookTimeout: 20_000, maxWorkers: 2 },
})

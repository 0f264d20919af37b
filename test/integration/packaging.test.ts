/**
 * The package that `npm pack` makes, installed as `npm install -g` does into an empty folder, and used from there.
 *
 * No network: npm installs the tarball without its dependencies, and those that package.json names, no others, are linked in from this
 * checkout. With EVENTFLOW_TEST_REGISTRY=1 npm fetches them as it does for a user.
 */

import { execFile, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { temporaryFolder } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { blocksOf, readPage } from '../helpers/recipes.ts'
import { until } from '../helpers/until.ts'

const ROOT = join(import.meta.dirname, '../..')
const execute = promisify(execFile)
/** Each start of the program is a process that loads everything anew. */
const PATIENCE_MS = 60_000
vi.setConfig({ testTimeout: 2 * PATIENCE_MS })

interface Manifest {
  version: string
  bin: Record<string, string>
  exports: Record<string, Record<string, string>>
  dependencies: Record<string, string>
}

const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as Manifest
let folder: string
/** Paths in the package. */
let packed: string[]
/** Where the package is, once it is installed. */
let home: string
/** What npm said when it installed it. */
let said: string

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'eventflow-packaging-')))
  const tarball = await pack(await checkout())
  said = await install(tarball)
  home = join(folder, 'prefix/lib/node_modules/eventflow')
}, 300_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

/** A checkout as people have it: with a build of long ago, and with secrets where README.md has them. */
async function checkout(): Promise<string> {
  const to = join(folder, 'checkout')
  const left = new Set(['node_modules', 'dist', 'data', '.git', 'coverage'].map((name) => join(ROOT, name)))
  await cp(ROOT, to, { recursive: true, filter: (path) => !left.has(path) })
  await symlink(await realpath(join(ROOT, 'node_modules')), join(to, 'node_modules'))
  await mkdir(join(to, 'dist'))
  await writeFile(join(to, 'dist/removed-long-ago.js'), '')
  await writeFile(join(to, 'config/passwords'), 'alice:secret\n')
  return to
}

async function pack(from: string): Promise<string> {
  await execute('npm', ['pack', '--pack-destination', folder], { cwd: from })
  const tarball = join(folder, `eventflow-${manifest.version}.tgz`)
  const { stdout } = await execute('tar', ['-tzf', tarball])
  packed = stdout
    .trim()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''))
  return tarball
}

async function install(tarball: string): Promise<string> {
  const words = ['install', '-g', '--prefix', join(folder, 'prefix'), '--no-audit', '--no-fund']
  if (process.env.EVENTFLOW_TEST_REGISTRY === '1') {
    return (await execute('npm', [...words, '--prefer-offline', tarball], { cwd: folder })).stderr
  }
  const { stderr } = await execute('npm', [...words, '--offline', await withoutDependencies(tarball)], { cwd: folder })
  for (const name of Object.keys(manifest.dependencies)) {
    const link = join(folder, 'prefix/lib/node_modules/eventflow/node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    await symlink(await realpath(join(ROOT, 'node_modules', name)), link)
  }
  return stderr
}

async function withoutDependencies(tarball: string): Promise<string> {
  const file = join(folder, 'package/package.json')
  const bare = join(folder, 'bare.tgz')
  await execute('tar', ['-xzf', tarball, '-C', folder])
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), dependencies: {} }))
  await execute('tar', ['-czf', bare, '-C', folder, 'package'])
  return bare
}

/** The installed program under way; in `cwd`, and with nothing of this process's environment but where Node.js is. */
function run(cwd: string, ...words: string[]) {
  const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` }
  const child = spawn(join(folder, 'prefix/bin/eventflow'), words, { cwd, env })
  const running = { child, output: '', code: null as number | null }
  child.stdout.on('data', (chunk) => (running.output += chunk))
  child.stderr.on('data', (chunk) => (running.output += chunk))
  child.once('close', (code) => {
    running.code = code ?? -1
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return running
}

async function finish(cwd: string, ...words: string[]): Promise<{ code: number | null; output: string }> {
  const running = run(cwd, ...words)
  await until('it has ended', () => running.code !== null, PATIENCE_MS)
  return { code: running.code, output: running.output }
}

async function start(cwd: string) {
  const running = run(cwd, 'start', '--port', '0', '--http-port', '0')
  const port = () => Number(/"listener":"tcp".*?"port":(\d+)/.exec(running.output)?.[1])
  await until('it listens, or has ended', () => port() > 0 || running.code !== null, PATIENCE_MS)
  expect(running.code, running.output).toBeNull()
  const stop = async () => {
    running.child.kill('SIGTERM')
    await until('it has ended', () => running.code !== null, PATIENCE_MS)
    return running.code
  }
  return { port: port(), url: /HTTP on (http:[^"]+)/.exec(running.output)![1]!, stop }
}

it('has the program, what programs import, configuration and documentation', () => {
  const targets = [manifest.bin, ...Object.values(manifest.exports)].flatMap((target) => Object.values(target))
  const needed = targets.map((path) => path.replace(/^\.\//, ''))
  const read = ['README.md', 'LICENSE', 'CHANGELOG.md', 'docs/operations.md', 'docs/configuration.md']
  const copied = ['eventflow.yaml', 'eventflow.service', 'grafana/eventflow.json', 'prometheus/alerts.yml']
  expect(packed).toEqual(expect.arrayContaining([...needed, ...read, ...copied.map((name) => `config/${name}`)]))
})

it('has no tests, sources, source maps, old builds or secrets', () => {
  const expected =
    /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|docs\/.*\.md|config\/.*(example|yaml|yml|service|json)|dist\/(src|plugins)\/.*)$/
  expect(packed.filter((path) => !expected.test(path))).toEqual([])
  expect(packed.filter((path) => /\.map$|\.test\.|(?<!\.d)\.ts$/.test(path))).toEqual([])
})

it('names every package that its code imports as a dependency', async () => {
  const files = await readdir(join(home, 'dist'), { recursive: true, withFileTypes: true })
  const scripts = files.filter((file) => file.isFile() && file.name.endsWith('.js'))
  const imported = new Set<string>()
  for (const { parentPath, name } of scripts) {
    const text = await readFile(join(parentPath, name), 'utf8')
    const names = text.matchAll(/(?:^|[;\n}])\s*(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]((?:@[\w-]+\/)?[\w-]+)/g)
    const later = text.matchAll(/\b(?:import|require)\(['"]((?:@[\w-]+\/)?[\w-]+)/g)
    for (const [, found] of [...names, ...later]) imported.add(found!)
  }
  expect(imported).toContain('fastify')
  const own = new Set([...Object.keys(manifest.dependencies), ...builtinModules, 'node', 'eventflow'])
  expect([...imported].filter((name) => !own.has(name))).toEqual([])
})

it('is installed as a program that tells its version and checks a configuration', async () => {
  const empty = await temporaryFolder()
  expect(await finish(empty, '--version')).toEqual({ code: 0, output: `${manifest.version}\n` })
  const checked = await finish(empty, 'check', '--port', '1884')
  expect(checked).toMatchObject({ code: 0, output: expect.stringContaining('port: 1884') })
  const documented = join(home, 'config/eventflow.yaml')
  expect(await finish(empty, 'check', '--config', documented, '--port', '1884')).toEqual(checked)
  expect(await readdir(empty)).toEqual([])
})

it('serves clients from an empty folder, and keeps what it took over a restart', async () => {
  const empty = await temporaryFolder()
  const first = await start(empty)
  expect(await (await fetch(`${first.url}/health`)).json()).toEqual({ status: 'ok' })
  const { mqtt: client, messages } = await connectClient(first.port)
  await client.subscribeAsync('a/b')
  await client.publishAsync('a/b', 'hello', { qos: 1 })
  expect(await messages(1)).toEqual(['hello'])
  await client.publishAsync('queue/jobs', 'job 1', { qos: 1 })
  await client.endAsync()
  expect(await first.stop()).toBe(0)
  expect(await readdir(empty)).toEqual(['data'])

  const second = await start(empty)
  const worker = await connectClient(second.port)
  await worker.mqtt.subscribeAsync('queue/jobs', { qos: 1 })
  expect(await worker.messages(1)).toEqual(['job 1'])
  await worker.mqtt.endAsync()
  expect(await second.stop()).toBe(0)
})

it('is installed without a word on engines or packages that nobody keeps any more', () => {
  expect(said).not.toMatch(/EBADENGINE|deprecated/)
})

/** A folder of somebody's program, with the package, and the types of Node.js, among its own. */
async function programFolder(): Promise<string> {
  const program = await temporaryFolder()
  await mkdir(join(program, 'node_modules/@types'), { recursive: true })
  await symlink(home, join(program, 'node_modules/eventflow'))
  await symlink(await realpath(join(ROOT, 'node_modules/@types/node')), join(program, 'node_modules/@types/node'))
  return program
}

it('is what programs and plugins import', async () => {
  const program = await programFolder()
  const source = `
    import { Eventflow } from 'eventflow'
    import 'eventflow/plugin'
    const broker = new Eventflow({ config: { listeners: { tcp: { port: 0 } }, store: { kind: 'memory' }, log: { level: 'silent' } } })
    await broker.start()
    await broker.subscribe('a', (topic, payload) => console.log(topic, payload.toString()))
    await broker.publish('a', 'hello')
    await broker.stop()
  `
  await writeFile(join(program, 'program.mjs'), source)
  const { stdout } = await execute(process.execPath, ['program.mjs'], { cwd: program })
  expect(stdout).toBe('a hello\n')
})

/** The programs and plugins of a page that import the package; each a file. */
async function programsOf(page: string, to: string): Promise<string[]> {
  const blocks = blocksOf(readPage(page)).filter(({ text }) => /^import .* from 'eventflow/m.test(text))
  const names = blocks.map((_, i) => `${page.replaceAll(/\W/g, '-')}-${i}.ts`)
  for (const [i, { text }] of blocks.entries()) await writeFile(join(to, names[i]!), text)
  return names
}

it.each([
  ['node16', 'node16'],
  ['bundler', 'esnext'],
])('has the types that strict programs want, resolved as %s does', async (moduleResolution, module) => {
  const program = await programFolder()
  await writeFile(join(program, 'package.json'), '{ "type": "module" }')
  const files = [...(await programsOf('README.md', program)), ...(await programsOf('docs/plugins.md', program))]
  expect(files.length).toBeGreaterThan(3)
  const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true }
  const compilerOptions = { ...strict, target: 'es2022', types: ['node'], module, moduleResolution }
  await writeFile(join(program, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  const compile = execute(join(ROOT, 'node_modules/.bin/tsc'), ['-p', program], { cwd: program })
  expect(
    await compile.then(
      () => '',
      ({ stdout }: { stdout: string }) => stdout,
    ),
  ).toBe('')
})

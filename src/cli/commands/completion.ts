/**
 * `eventflow completion bash`: what makes a shell complete the words of this program. It is made of the usage texts, so what
 * a command learns is completed too. Names of queues and clients it asks a running broker for, by `eventflow completion names`.
 */

import { parseArgs } from 'node:util'
import { Api } from '../api.ts'
import { type Command, WronglyCalled } from '../command.ts'

const USAGE = `completion bash

  For this shell:        source <(eventflow completion bash)
  For all to come:       eventflow completion bash > ~/.local/share/bash-completion/completions/eventflow
  In zsh, before that:   autoload -U bashcompinit && bashcompinit`

/** @param others the commands of the program; this one is completed besides */
export function completionOf(others: Readonly<Record<string, Command>>): Command {
  const completion: Command = {
    summary: 'Print a script that makes a shell complete these words.',
    usage: USAGE,
    async run(args) {
      const [shell, ...rest] = parseArgs({ args: [...args], allowPositionals: true }).positionals
      if (shell === 'names') return names(rest)
      if (shell !== 'bash' || rest.length > 0) throw new WronglyCalled('the shell must be bash')
      process.stdout.write(bash({ ...others, completion }))
      return 0
    },
  }
  return completion
}

const KEYS: Readonly<Record<string, string>> = { queues: 'name', clients: 'clientId' }
const MOST_NAMES = 200
/** A shell that waits is worse than one that offers nothing. */
const PATIENCE_MS = 2_000

/** Prints, as a shell reads them, the names that begin with `part`. Whatever is wrong, it says nothing: somebody is typing. */
async function names([kind = '', part = '']: readonly string[]): Promise<number> {
  const key = Object.hasOwn(KEYS, kind) ? KEYS[kind]! : null
  if (key === null) return 2
  setTimeout(() => process.exit(1), PATIENCE_MS).unref()
  try {
    const api = await Api.of({})
    for await (const entry of api.list<Record<string, string>>(`/${kind}`, { search: part }, MOST_NAMES)) {
      const name = entry[key]!
      if (name.startsWith(part)) process.stdout.write(`${name.replace(/[^\w@%+=:,./-]/gu, '\\$&')}\n`)
    }
    return 0
  } catch {
    return 1
  }
}

/** Where it offers nothing, `-o default` makes bash offer files. */
function bash(commands: Readonly<Record<string, Command>>): string {
  const cases = Object.entries(commands).map(([name, { usage }]) => {
    const named = Object.hasOwn(KEYS, name) ? ` names=${name}` : ''
    return `    ${name}) verbs='${verbsOf(usage).join(' ')}' options='${optionsOf(usage).join(' ')}'${named} ;;`
  })
  return `# bash completion of eventflow
_eventflow() {
  local word=\${COMP_WORDS[COMP_CWORD]} verbs options names
  COMPREPLY=()
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${Object.keys(commands).join(' ')} --help --version' -- "$word"))
  elif [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options --help" -- "$word"))
  elif [ "$COMP_CWORD" -eq 2 ]; then
    COMPREPLY=($(compgen -W "$verbs" -- "$word"))
  elif [ "$COMP_CWORD" -eq 3 ] && [ -n "$names" ] && [ "\${COMP_WORDS[2]}" != list ]; then
    local IFS=$'\\n'
    COMPREPLY=($("\${COMP_WORDS[0]}" completion names "$names" "$word" 2>/dev/null))
  fi
}
complete -o default -F _eventflow eventflow
`
}

/** `list`, `show` of a usage that begins with `queues list|show NAME`. */
function verbsOf(usage: string): string[] {
  const second = usage.split(/\s/, 2)[1] ?? ''
  return /^[a-z]+(\|[a-z]+)*$/.test(second) ? second.split('|') : []
}

function optionsOf(usage: string): string[] {
  return [...new Set(usage.match(/(?<![\w-])--[a-z][a-z-]*/g))].sort()
}

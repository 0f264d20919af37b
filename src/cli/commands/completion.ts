/**
 * `eventflow completion bash`: what makes a shell complete the words of this program. It is made of the usage texts, so what
 * a command learns is completed too.
 */

import { parseArgs } from 'node:util'
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
      if (shell !== 'bash' || rest.length > 0) throw new WronglyCalled('the shell must be bash')
      process.stdout.write(bash({ ...others, completion }))
      return 0
    },
  }
  return completion
}

/** Where it offers nothing, `-o default` makes bash offer files. */
function bash(commands: Readonly<Record<string, Command>>): string {
  const cases = Object.entries(commands).map(([name, { usage }]) => {
    return `    ${name}) verbs='${verbsOf(usage).join(' ')}' options='${optionsOf(usage).join(' ')}' ;;`
  })
  return `# bash completion of eventflow
_eventflow() {
  local word=\${COMP_WORDS[COMP_CWORD]} verbs options
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

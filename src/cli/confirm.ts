/** A question before something is destroyed. Where nobody is there to be asked, only `--yes` is an answer. */

import { createInterface } from 'node:readline'
import { WronglyCalled } from './command.ts'

/** Where people are asked. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean }
}

/** Whether the answer is yes. @throws WronglyCalled where there is no terminal */
export async function confirmed(question: string, { input, output }: Terminal): Promise<boolean> {
  if (input.isTTY !== true || output.isTTY !== true) {
    throw new WronglyCalled('this destroys messages, and there is no terminal to ask on: --yes is needed')
  }
  const reader = createInterface({ input, output })
  try {
    const answer = await new Promise<string>((resolve) => {
      reader.once('close', () => resolve('')) // Ctrl-C or Ctrl-D
      reader.question(`${question} [y/N] `, resolve)
    })
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    reader.close()
  }
}

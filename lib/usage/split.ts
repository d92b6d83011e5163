import type { Config } from '../config.ts'
import { Problem, invalidInput } from '../problem.ts'

/**
 * Checks what usage is to be split by: `feature`, `model`, `user`, or a dimension that the operator has declared.
 * @throws Problem invalid_request
 */
export function checkSplit({ dimensions }: Pick<Config, 'dimensions'>, by: string | undefined): void {
  const splits = ['feature', 'model', 'user', ...dimensions]
  if (by === undefined || splits.includes(by)) return
  throw new Problem('invalid_request', invalidInput([{ field: 'by', detail: `must be one of ${splits.join(', ')}` }]))
}

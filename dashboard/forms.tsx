import type { ComponentChildren } from 'preact'
import { useId, useState } from 'preact/hooks'
import { ApiError } from './api.ts'

/** A call in progress, its outcome, and which fields were wrong. */
export interface Action {
  isBusy: boolean
  /** The problem as a whole. */
  problem: string
  done: string
  errorOf(field: string): string | undefined
  /** Does the work; its result is announced politely. */
  run(work: () => Promise<string | void>): Promise<void>
}

/** The state of one form or button. */
export function useAction(): Action {
  const [state, setState] = useState({ isBusy: false, done: '', problem: undefined as ApiError | undefined })
  return {
    isBusy: state.isBusy,
    done: state.done,
    problem: state.problem?.message ?? '',
    errorOf: (field) => state.problem?.errors.find((error) => error.field.split('.')[0] === field)?.detail,
    async run(work) {
      const focused = document.activeElement as HTMLElement | null
      setState({ isBusy: true, done: '', problem: undefined })
      try {
        const done = (await work()) ?? ''
        setState({ isBusy: false, done, problem: undefined })
      } catch (error) {
        setState({
          isBusy: false,
          done: '',
          problem: error instanceof ApiError ? error : new ApiError(0, (error as Error).message),
        })
      }
      // If the button was disabled meanwhile, it has lost the focus.
      setTimeout(() => document.activeElement === document.body && focused?.focus())
    },
  }
}

/** Handles the submission of a form, instead of loading a page. */
export const submit =
  (action: Action, work: (form: HTMLFormElement) => Promise<string | void>) =>
  (event: SubmitEvent): void => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    void action.run(() => work(form))
  }

/** Announces the outcome of an action. */
export const Outcome = ({ action }: { action: Action }) => (
  <span class="outcome">
    <span role="status">{action.done}</span>
    <span role="alert" class="problem">
      {action.problem}
    </span>
  </span>
)

/** The submit button of a form, with the outcome. */
export const Submit = ({ action, label }: { action: Action; label: string }) => (
  <>
    <button type="submit" disabled={action.isBusy}>
      {label}
    </button>
    <Outcome action={action} />
  </>
)

interface FieldProps {
  label: string
  name: string
  action: Action
  children: (attributes: { name: string; 'aria-invalid': boolean; 'aria-describedby'?: string }) => ComponentChildren
}

/** A labelled field, with its error next to it. */
export function Field({ label, name, action, children }: FieldProps) {
  const error = action.errorOf(name)
  const id = useId()
  return (
    <label class="field">
      {label}
      {children({ name, 'aria-invalid': error !== undefined, ...(error !== undefined && { 'aria-describedby': id }) })}
      {error !== undefined && (
        <span id={id} class="problem">
          {error}
        </span>
      )}
    </label>
  )
}

/** The values of a form, by field. */
export const typed = (form: HTMLFormElement): ((name: string) => string) => {
  const data = new FormData(form)
  return (name) => {
    const value = data.get(name)
    return typeof value === 'string' ? value.trim() : ''
  }
}

/** Treats the current values of a form as untouched: from now on it follows what is saved elsewhere. */
export function settle(form: HTMLFormElement): void {
  for (const field of form.elements) {
    if (field instanceof HTMLSelectElement) for (const option of field.options) option.defaultSelected = option.selected
    if (!(field instanceof HTMLInputElement)) continue
    field.defaultValue = field.value
    field.defaultChecked = field.checked
  }
  form.reset()
}

import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { ApiError } from './api.ts'

/** A call in hand, what came of it, and which fields were wrong. */
export interface Action {
  isBusy: boolean
  /** What is wrong as a whole. */
  problem: string
  done: string
  errorOf(field: string): string | undefined
  /** Does the work; what it returns is said politely. */
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
    },
  }
}

/** What a form does when it is sent, instead of loading a page. */
export const submit =
  (action: Action, work: (form: HTMLFormElement) => Promise<string | void>) =>
  (event: SubmitEvent): void => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    void action.run(() => work(form))
  }

/** Says what came of an action. */
export const Outcome = ({ action }: { action: Action }) => (
  <span class="outcome">
    <span role="status">{action.done}</span>
    <span role="alert" class="problem">
      {action.problem}
    </span>
  </span>
)

interface FieldProps {
  label: string
  name: string
  action: Action
  children: (attributes: { name: string; 'aria-invalid': boolean; 'aria-describedby'?: string }) => ComponentChildren
}

/** A labelled field, and beside it what is wrong with it. */
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

/** What was typed into a form, by field. */
export const typed = (form: HTMLFormElement): ((name: string) => string) => {
  const data = new FormData(form)
  return (name) => {
    const value = data.get(name)
    return typeof value === 'string' ? value.trim() : ''
  }
}

/** Like `50, 80, 100`. */
export const percentsOf = (text: string): number[] =>
  text
    .split(/[\s,%]+/)
    .filter(Boolean)
    .map(Number)

interface DialogProps {
  title: string
  onClose: () => void
  children: ComponentChildren
}

/** A dialog over the page. Escape closes it, and the focus goes back. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const [element, before] = [dialog.current, document.activeElement]
    element?.showModal()
    return () => {
      element?.close()
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <dialog ref={dialog} aria-label={title} onClose={onClose}>
      <header>
        <h2>{title}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick={() => dialog.current?.close()}>
          ✕
        </button>
      </header>
      {children}
    </dialog>
  )
}

/** A button that asks before it does something that can't be undone. */
export function Confirm({
  label,
  question,
  onYes,
}: {
  label: string
  question: string
  onYes: () => Promise<string | void>
}) {
  const [isOpen, setOpen] = useState(false)
  const action = useAction()
  return (
    <>
      <button type="button" class="quiet danger" onClick={() => setOpen(true)}>
        {label}
      </button>
      {isOpen && (
        <Dialog title={label} onClose={() => setOpen(false)}>
          <p>{question}</p>
          <div class="actions">
            <button type="button" class="danger" disabled={action.isBusy} onClick={() => void action.run(onYes)}>
              {label}
            </button>
            <Outcome action={action} />
          </div>
        </Dialog>
      )}
    </>
  )
}

/** Text that is shown once, or to be run elsewhere, with a button that copies it. */
export function Copy({ text, label }: { text: string; label: string }) {
  const [isCopied, setCopied] = useState(false)
  return (
    <div class="copy">
      <pre tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <button type="button" onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}>
        {isCopied ? 'Copied' : 'Copy'}
      </button>
    </div>
  )
}

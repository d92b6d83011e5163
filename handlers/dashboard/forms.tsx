import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { ApiError } from './api.ts'
import { say } from './notice.tsx'

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
      // A button that is disabled meanwhile has lost the focus.
      setTimeout(() => document.activeElement === document.body && focused?.focus())
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

/** Takes what stands in a form as not touched: from now on it follows what is saved elsewhere. */
export function settle(form: HTMLFormElement): void {
  for (const field of form.elements) {
    if (field instanceof HTMLSelectElement) for (const option of field.options) option.defaultSelected = option.selected
    if (!(field instanceof HTMLInputElement)) continue
    field.defaultValue = field.value
    field.defaultChecked = field.checked
  }
  form.reset()
}

interface DialogProps {
  title: string
  onClose: () => void
  children: ComponentChildren
}

/** A dialog over the page. Escape closes it, and the focus goes back. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const [shown, before] = [dialog.current!, document.activeElement as HTMLElement | null]
    shown.showModal()
    return () => {
      shown.close() // what is open takes the focus from all else
      before?.focus()
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

interface ConfirmProps {
  label: string
  /** Names stand in it as elements: a name that turns the direction of writing must not turn the question. */
  question: ComponentChildren
  /** Answers what to say when it is done. */
  onYes: () => Promise<string>
}

/** A button that asks before it does something that can't be undone. */
export function Confirm({ label, question, onYes }: ConfirmProps) {
  const [isOpen, setOpen] = useState(false)
  const action = useAction()
  const opener = useRef<HTMLButtonElement>(null)
  const yes = async () => {
    const heading = opener.current?.closest('section')?.querySelector('h2')
    const done = await onYes()
    setOpen(false)
    say(done)
    // The line it stood in goes: the focus waits at the heading instead of getting lost.
    if (!heading) return
    heading.tabIndex = -1
    setTimeout(() => heading.focus())
  }
  return (
    <>
      <button type="button" ref={opener} class="quiet danger" onClick={() => setOpen(true)}>
        {label}
      </button>
      {isOpen && (
        <Dialog title={label} onClose={() => setOpen(false)}>
          <p>{question}</p>
          <div class="actions">
            <button type="button" class="danger" disabled={action.isBusy} onClick={() => void action.run(yes)}>
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
  const place = useRef<HTMLPreElement>(null)
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => getSelection()?.selectAllChildren(place.current!), // not allowed: at least it is selected
    )
  return (
    <div class="copy">
      <pre ref={place} tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <button type="button" onClick={() => void copy()}>
        {isCopied ? 'Copied' : 'Copy'}
      </button>
    </div>
  )
}

import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Outcome, useAction } from './forms.tsx'
import { say } from './notice.tsx'

interface DialogProps {
  title: string
  onClose: () => void
  children: ComponentChildren
}

/** A dialog over the page. Escape closes it and returns the focus. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const [shown, before] = [dialog.current!, document.activeElement as HTMLElement | null]
    shown.showModal()
    return () => {
      shown.close() // while it is open, nothing else can have the focus
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
  /** Has names in elements of their own: a right-to-left name must not reorder the question. */
  question: ComponentChildren
  /** Returns what to say when it is done. */
  onYes: () => Promise<string>
}

/** A button that asks for confirmation before something that can't be undone. */
export function Confirm({ label, question, onYes }: ConfirmProps) {
  const [isOpen, setOpen] = useState(false)
  const action = useAction()
  const opener = useRef<HTMLButtonElement>(null)
  const yes = async () => {
    const heading = opener.current?.closest('section')?.querySelector('h2')
    const done = await onYes()
    setOpen(false)
    say(done)
    // The line with the button disappears, so the focus moves to the heading instead of getting lost.
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

/** Text that is shown once, or to be run elsewhere, with a copy button. */
export function Copy({ text, label }: { text: string; label: string }) {
  const [isCopied, setCopied] = useState(false)
  const place = useRef<HTMLPreElement>(null)
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => getSelection()?.selectAllChildren(place.current!), // copying is not allowed: at least select it
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

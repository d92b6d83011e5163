import { useEffect, useState } from 'preact/hooks'

const SHOWN_MS = 6_000

let show: (text: string) => void = () => {}
/**
 * Says politely what was done, for what is no longer there to say it: a dialog that has closed, a line that is gone.
 */
export const say = (text: string): void => show(text)

/** Where that is announced. */
export function Notice() {
  const [text, setText] = useState('')
  useEffect(() => {
    show = setText
    return () => void (show = () => {})
  }, [])
  useEffect(() => {
    const timer = setTimeout(() => setText(''), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [text])
  return (
    <p role="status" class="notice">
      {text}
    </p>
  )
}

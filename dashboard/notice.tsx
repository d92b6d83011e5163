import { useEffect, useState } from 'preact/hooks'

const SHOWN_MS = 6_000

let show: (text: string) => void = () => {}
/** Announces politely what was done when the element that did it is gone, such as a closed dialog or a deleted line. */
export const say = (text: string): void => show(text)

/** Where notices are announced. */
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

import type { ComponentChildren } from 'preact'

interface Props {
  id: string
  title: string
  /** A button next to the heading. */
  button?: { label: string; onClick: () => void } | undefined
  children: ComponentChildren
}

/** A section of the page with its heading. */
export const Panel = ({ id, title, button, children }: Props) => (
  <section class="panel" aria-labelledby={id}>
    <div class="tools">
      <h2 id={id}>{title}</h2>
      {button && (
        <button type="button" onClick={button.onClick}>
          {button.label}
        </button>
      )}
    </div>
    {children}
  </section>
)

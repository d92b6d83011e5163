import { render } from 'preact'

render(<h1>FlagMeter</h1>, document.querySelector('#app')!)

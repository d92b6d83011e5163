// The page at /docs: the description of the API, to read and to try. It shares nothing with the dashboard, which does
// not load it.
import openViewer from 'swagger-ui-dist/swagger-ui-es-bundle.js'
import 'swagger-ui-dist/swagger-ui.css'

const dark = matchMedia('(prefers-color-scheme: dark)')
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', follow)
follow()

openViewer({
  dom_id: '#app',
  url: '/api/openapi.json',
  // No other host is asked whether the description is valid.
  validatorUrl: null,
  deepLinking: true,
  displayOperationId: true,
  defaultModelsExpandDepth: 0,
})

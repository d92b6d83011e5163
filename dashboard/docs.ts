// The page at /docs: read and try the API. It shares nothing with the dashboard, which does not load it.
import openViewer from 'swagger-ui-dist/swagger-ui-es-bundle.js'
import 'swagger-ui-dist/swagger-ui.css'

const dark = matchMedia('(prefers-color-scheme: dark)')
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', follow)
follow()

openViewer({
  dom_id: '#app',
  url: '/api/openapi.json',
  // Do not have another host validate the description.
  validatorUrl: null,
  deepLinking: true,
  displayOperationId: true,
  defaultModelsExpandDepth: 0,
})

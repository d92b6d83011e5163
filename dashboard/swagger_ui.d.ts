declare module 'swagger-ui-dist/swagger-ui-es-bundle.js' {
  /** Draws a description into an element (swagger.io/docs/open-source-tools/swagger-ui/usage/configuration). */
  export default function openViewer(options: object): void
}
declare module 'swagger-ui-dist/swagger-ui.css'

// What a mail uses and which mail programs do not know it, as caniemail has it: node clients.mjs FOLDER FILE …
// FOLDER is where npm installed. Prints one JSON object: feature → mail programs that lack it.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const [folder, ...files] = process.argv.slice(2)
const path = createRequire(`${folder}/`).resolve('caniemail')
const { caniemail } = await import(pathToFileURL(path))
const lacking = {}
for (const file of files) {
  const html = readFileSync(file, 'utf8')
  const result = caniemail({ clients: ['gmail.*', 'outlook.*', 'apple-mail.*'], html })
  for (const [client, issues] of result.issues.errors) {
    for (const issue of issues) (lacking[issue.title] ??= []).push(client)
  }
}
for (const feature of Object.keys(lacking)) lacking[feature] = [...new Set(lacking[feature])].sort()
console.log(JSON.stringify(lacking))

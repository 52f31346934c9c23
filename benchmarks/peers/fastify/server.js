// Fastify with PostgreSQL as its guides put them together: the plugin for `pg`, and schemas for what comes and goes.

import { randomUUID } from 'node:crypto'
import fastifyPostgres from '@fastify/postgres'
import Fastify from 'fastify'
import pg from 'pg'

const PRIORITIES = ['none', 'low', 'medium', 'high', 'urgent']

// A bigint as a number and a date as it is written, instead of text and an instant.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)
pg.types.setTypeParser(pg.types.builtins.DATE, (value) => value)

const COLUMNS = `id, workspace_id, project_id, section_id, parent_id, title, description, status, priority, label_ids,
  assignee_id, start_date, start_time, start_timezone, due_date, due_time, due_timezone, position, uid, version,
  created_at, created_by, updated_at, completed_at, deleted_at`

const integer = { type: 'integer' }
const text = { type: 'string' }
const nullableInteger = { type: ['integer', 'null'] }
const nullableText = { type: ['string', 'null'] }

const task = {
  type: 'object',
  properties: {
    id: integer,
    workspace_id: integer,
    project_id: integer,
    section_id: nullableInteger,
    parent_id: nullableInteger,
    title: text,
    description: text,
    status: text,
    priority: text,
    label_ids: { type: 'array', items: integer },
    assignee_id: nullableInteger,
    start_date: nullableText,
    start_time: nullableText,
    start_timezone: nullableText,
    due_date: nullableText,
    due_time: nullableText,
    due_timezone: nullableText,
    position: text,
    uid: text,
    version: integer,
    created_at: { type: 'string', format: 'date-time' },
    created_by: nullableInteger,
    updated_at: { type: 'string', format: 'date-time' },
    completed_at: { type: ['string', 'null'], format: 'date-time' },
    deleted_at: { type: ['string', 'null'], format: 'date-time' }
  }
}

const fastify = Fastify()
fastify.register(fastifyPostgres, {})

function represent (row) {
  row.priority = PRIORITIES[row.priority]
  return row
}

fastify.get('/api/v1/tasks/:id', {
  schema: { params: { type: 'object', properties: { id: integer } }, response: { 200: task } }
}, async (request, reply) => {
  const { rows } = await fastify.pg.query(
    `SELECT ${COLUMNS} FROM tasks WHERE id = $1 AND deleted_at IS NULL`, [request.params.id])
  return rows.length ? represent(rows[0]) : reply.code(404).send({ message: 'Not found' })
})

fastify.get('/api/v1/tasks', {
  schema: {
    querystring: {
      type: 'object',
      properties: { workspace_id: integer, limit: { ...integer, default: 50 }, offset: { ...integer, default: 0 } }
    },
    response: {
      200: { type: 'object', properties: { items: { type: 'array', items: task }, count: integer } }
    }
  }
}, async (request) => {
  const { workspace_id: workspaceId, limit, offset } = request.query
  const { rows } = await fastify.pg.query(
    `SELECT ${COLUMNS} FROM tasks WHERE workspace_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT $2 OFFSET $3`,
    [workspaceId, limit, offset])
  return { items: rows.map(represent), count: rows.length }
})

fastify.post('/api/v1/tasks', {
  schema: {
    body: {
      type: 'object',
      required: ['workspace_id', 'project_id', 'title'],
      properties: {
        workspace_id: integer,
        project_id: integer,
        title: { ...text, minLength: 1, maxLength: 500 },
        description: { ...text, default: '' },
        priority: { ...text, enum: PRIORITIES, default: 'none' }
      }
    },
    response: { 201: task }
  }
}, async (request, reply) => {
  const { workspace_id: workspaceId, project_id: projectId, title, description, priority } = request.body
  const { rows } = await fastify.pg.query(
    `INSERT INTO tasks (workspace_id, project_id, title, description, status, priority, label_ids, position, uid,
       version, created_at, updated_at)
     VALUES ($1, $2, $3, $4, 'open', $5, '{}', $6, $7, 1, now(), now()) RETURNING ${COLUMNS}`,
    [workspaceId, projectId, title, description, PRIORITIES.indexOf(priority),
      `z${process.hrtime.bigint().toString(16)}`, randomUUID()])
  return reply.code(201).send(represent(rows[0]))
})

fastify.get('/readyz', async () => ({ status: 'ok' }))

await fastify.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })

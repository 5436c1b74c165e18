-- Rows as version 0002 wrote them. A released version's file is never changed; a new version adds one.
INSERT INTO incidents VALUES ('case-a', 3, 'closed', 'gate-north', '北门', 'illegal_parking', 'illegal_parking:kerb', 'kerb', 2, 0.875, 1780000000.25, 1780000180.5, 1780000400.0, 1780000400.125, 'left', 'v-old', false, '[0.1, 0.2, 0.3, 0.4]', '{"stopped": {"value": 220.0, "unit": "s"}}', '[{"role": "limit", "path": "pictures/a.jpg"}]', 1780000180.75, 'true');
INSERT INTO incidents VALUES ('case-b', 1, 'opened', 'gate-south', '南门 "B"', 'crowding', 'crowding:forecourt', 'forecourt', 1, 1.0, 1780003600.0, 1780003630.0, 1780003630.0, NULL, NULL, 'v-old', true, 'null', '{}', '[]', 1780003631.0, NULL);
INSERT INTO incident_events VALUES ('case-a:1', 'case-a', 1, 'incident.opened', 1780000180.5, 1780000180.75, '{"id": "case-a:1", "data": {"camera_name": "\u5317\u95e8", "revision": 1}}');
INSERT INTO incident_events VALUES ('case-a:3', 'case-a', 3, 'incident.closed', 1780000400.0, 1780000401.0, '{"id": "case-a:3", "data": {"camera_name": "\u5317\u95e8", "revision": 3}}');
INSERT INTO incident_events VALUES ('case-b:1', 'case-b', 1, 'incident.opened', 1780003630.0, 1780003631.0, '{"id": "case-b:1", "data": {}}');
INSERT INTO alerts VALUES ('alert-a', 'case-a', 'room', 'incident', 'closed', 2, false, 1780000180.5, 1780000181.0, 1780000181.5, 1780000200.0, 1780000500.0);
INSERT INTO alerts VALUES ('alert-b', 'case-b', 'room', 'incident', 'pending', 1, false, 1780003630.0, 1780003631.0, NULL, NULL, NULL);
INSERT INTO alert_transitions (alert_id, from_state, to_state, at_s, who, note) VALUES ('alert-a', 'pending', 'sent', 1780000181.5, 'gatewatch', '');
INSERT INTO alert_transitions (alert_id, from_state, to_state, at_s, who, note) VALUES ('alert-a', 'sent', 'acknowledged', 1780000200.0, 'guard', '看到了');
INSERT INTO deliveries (alert_id, incident_id, recipient, channel, idempotency_key, event_s, event_id, state, attempts, next_attempt_s, lease_owner, lease_until_s, created_s, finished_s, reason) VALUES ('alert-a', 'case-a', 'room', 'webhook', 'alert-a', 1780000180.5, 'case-a:1', 'sent', 1, 0.0, NULL, 0.0, 1780000181.0, 1780000181.5, '');
INSERT INTO deliveries (alert_id, incident_id, recipient, channel, idempotency_key, event_s, event_id, state, attempts, next_attempt_s, lease_owner, lease_until_s, created_s, finished_s, reason) VALUES ('alert-b', 'case-b', 'room', 'webhook', 'alert-b', 1780003630.0, 'case-b:1', 'ready', 2, 1780003700.0, NULL, 0.0, 1780003631.0, NULL, 'answered 503');
INSERT INTO attempts (delivery_id, started_s, duration_s, outcome, detail) VALUES (1, 1780000181.25, 0.25, 'sent', '200');
INSERT INTO verdicts (incident_id, verdict, at_s, who, note) VALUES ('case-a', 'true', 1780000500.0, 'guard', '确实');
INSERT INTO audit (at_s, who, action, subject, detail) VALUES (1780000600.0, 'admin', 'resend', 'delivery 9', '{"why": "mail was away"}');
INSERT INTO threads VALUES ('case-a', 'closed', 2, 'default', 0, '', 1780000181.0, NULL, NULL, 1780000181.5, 1780000200.0, 'guard', 1780000300.0, 'guard', 1780000500.0, 'guard', NULL);
INSERT INTO thread_log (incident_id, at_s, who, action, from_state, to_state, note) VALUES ('case-a', 1780000200.0, 'guard', 'acknowledge', 'sent', 'acknowledged', '看到了');
INSERT INTO snoozes (camera, rule, reason, who, from_s, until_s, ended_s, ended_by) VALUES ('gate-north', 'crowding:forecourt', '运动会', 'head', 1780000000.0, 1780086400.0, NULL, NULL);

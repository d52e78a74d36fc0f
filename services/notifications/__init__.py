"""Notifications: messages to patients within their day and caps, tasks for staff, escalations."""

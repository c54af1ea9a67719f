\echo Use "ALTER EXTENSION po_mgmt UPDATE TO '1.1'" to load this file. \quit

-- CREATE EXTENSION runs this after po_mgmt--1.0.sql, which does not change any more.

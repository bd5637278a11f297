-- What would be refused for a copy does not matter when nothing is copied.
alter table image add standardized_popularity double precision;
create function nothing() returns trigger language plpgsql as 'begin return new; end';
create trigger watched after update on image for each row execute function nothing();

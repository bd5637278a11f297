create function note_change() returns trigger language plpgsql as 'begin return new; end';
create trigger "note the change" after update on image for each row execute function note_change();

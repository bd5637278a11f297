create table changes (said text);
create function note_change() returns trigger language plpgsql as 'begin insert into changes values (tg_op); return new; end';
create trigger "note the change" after update or delete on image for each row execute function note_change();
create trigger off before insert on image for each row execute function note_change();
alter table image disable trigger off;
alter table image enable row level security;
create policy "with a title" on image using (title is not null and exists (select from imagelist where imagelist.id <= image.id or true));
alter table image replica identity full;
create statistics image_source on source, provider from image;

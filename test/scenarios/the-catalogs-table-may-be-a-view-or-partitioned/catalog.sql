alter table image rename to image_raw;
create table image_parts (like image_raw including defaults) partition by list (source);
create table image_parts_flickr partition of image_parts for values in ('flickr');
create table image_parts_others partition of image_parts default;
create schema "Odd schema";
create view "Odd schema"."image view" as
  select *, row_number() over (order by random()) as noise from image_raw where license <> 'secret' order by random();
create view image as select * from image_parts;
